"""The files that docker-compose.yml mounts, made and read as its containers read them."""

import json
import stat
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from gateway.settings import GatewaySettings
from ops.broker import VHOST
from ops.compose import PASSWORDS, make_files
from services.contracts.base import SERVICES
from services.plumbing.bus import address
from services.plumbing.passport import Signer, Verifier
from services.plumbing.settings import BusSettings, ServiceSettings, read
from tests.compose import CONTAINERS, FILE, environment_here, secret_file

PROCESSES = (*SERVICES, "gateway")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    make_files(tmp_path / "secrets")
    return tmp_path / "secrets"


def settings_in(container: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> BusSettings:
    tell(container, secrets, monkeypatch)
    return GatewaySettings.load() if container == "gateway" else ServiceSettings.of(container)


def tell(container: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_here(container, secrets).items():
        if name.startswith("QUDAO_"):
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_starts_from_what_its_container_is_told(process: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_in(process, secrets, monkeypatch)

    broker = address(settings.amqp_uri.get_secret_value())
    assert (broker["host"], broker["userid"], broker["virtual_host"]) == ("rabbitmq:5672", process, VHOST)
    signer, verifier = Signer(process, settings.signing_key.get_secret_value()), Verifier(settings.trusted_keys_dir)
    assert verifier.verify(signer.own()).subject == f"system:{process}"
    if isinstance(settings, ServiceSettings):
        database = conninfo_to_dict(settings.database_url.get_secret_value())
        assert (database["host"], database["user"], database["dbname"]) == ("postgres", f"qudao_{process}", f"qudao_{process}")
        assert (settings.setup_secret is not None) == (process == "identity")


@pytest.mark.parametrize("container", ["provision", "migrate", "topology"])
def test_a_step_finds_what_it_is_told(container: str, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(container, secrets, monkeypatch)

    for name in CONTAINERS[container]["environment"]:
        assert read(name.removesuffix("_FILE"))


def test_every_secret_is_made(secrets: Path) -> None:
    for name in FILE["secrets"]:
        assert (secrets / secret_file(name)).read_text().strip(), name


def test_addresses_name_the_services_of_the_file(secrets: Path) -> None:
    hosts = {address((secrets / f"{user}-amqp-uri").read_text())["host"].split(":")[0] for user in PASSWORDS}
    urls = [path.read_text() for path in secrets.glob("*-database-url")]

    assert hosts | {str(conninfo_to_dict(url)["host"]) for url in urls} <= set(CONTAINERS)


def test_the_brokers_file_has_hashes_of_the_passwords_and_no_password(secrets: Path) -> None:
    text = (secrets / "broker-definitions").read_text()
    accounts = {account["name"]: account for account in json.loads(text)["users"]}

    assert accounts.keys() == {*PROCESSES, "deployer"}
    for user, file in PASSWORDS.items():
        password = (secrets / file).read_text()
        known = b64decode(accounts[user]["password_hash"])
        assert known[4:] == sha256(known[:4] + password.encode()).digest()
        assert password not in text


def test_containers_can_read_their_files_and_nobody_on_the_host_can(secrets: Path) -> None:
    for name in FILE["secrets"]:
        assert mode_of(secrets / secret_file(name)) == 0o444
    assert {mode_of(path) for path in (secrets / "trusted").iterdir()} == {0o444}
    assert mode_of(secrets / "trusted") == 0o755
    assert (mode_of(secrets), mode_of(secrets / "signing")) == (0o700, 0o700)


def test_made_again_a_password_stays_and_addresses_follow_one_that_was_removed(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir() if path.is_file()}
    (secrets / "customers-database-password").unlink()

    make_files(secrets)

    changed = {name for name, text in before.items() if (secrets / name).read_text() != text}
    assert changed == {"customers-database-password", "customers-database-url", "broker-definitions"}  # the last has new salts


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
