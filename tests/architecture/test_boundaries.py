"""Who may import whom, and what may stand where."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("identity", "customers", "activities", "rules")
BUS = {"nameko", "eventlet", "kombu", "amqp"}


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Dotted names, wherever in the file they are imported."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def roots_of(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path)}


def offenders(paths: Iterator[Path], is_wrong: object) -> list[str]:
    assert callable(is_wrong)
    return [str(path.relative_to(ROOT)) for path in paths if is_wrong(path)]


def test_contracts_know_only_pydantic() -> None:
    standard = {"collections", "dataclasses", "datetime", "enum", "re", "typing", "unicodedata", "uuid"}
    for path in modules("services/contracts"):
        assert roots_of(path) <= standard | {"pydantic", "services"}, path
        assert all(not name.startswith("services.") or name.startswith("services.contracts") for name in imports_of(path)), path


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_never_imports_another(service: str) -> None:
    others = {f"services.{other}" for other in SERVICES if other != service}
    for path in modules(f"services/{service}"):
        assert not any(name.startswith(tuple(others)) for name in imports_of(path)), path


def test_plumbing_knows_no_service() -> None:
    named = tuple(f"services.{service}" for service in SERVICES)
    assert not offenders(modules("services/plumbing"), lambda path: any(name.startswith(named) for name in imports_of(path)))


def test_the_bus_is_spoken_only_in_the_plumbing() -> None:
    outside = (path for path in modules("services", "gateway", "ops", "embedded") if "plumbing" not in path.parts)
    assert not offenders(outside, lambda path: roots_of(path) & BUS)


def test_the_gateway_has_neither_database_nor_services() -> None:
    allowed = ("services.contracts", *(f"services.plumbing.{name}" for name in ("settings", "passport", "logs", "failpoints")))
    for path in modules("gateway"):
        assert not roots_of(path) & {"sqlalchemy", "psycopg"}, path
        ours = [name for name in imports_of(path) if name.startswith("services.")]
        assert all(name.startswith((*allowed, "services.plumbing")) for name in ours), path
        direct = [name for name in ours if name.startswith("services.plumbing.")]
        assert all(name.startswith(allowed) for name in direct), path


OF_VALUES = {
    "collections", "dataclasses", "datetime", "hashlib", "math", "re", "services", "struct", "typing", "unicodedata", "uuid",
    "zlib", "zoneinfo",
}  # fmt: skip
PURE = ("domain.py", "ranges.py")
OF_COLLISION = {"functools", "itertools", "pathlib", "rapidfuzz"}
"""It reads its own tables besides; rapidfuzz is edit distance, text in and figure out."""


def test_decisions_are_pure() -> None:
    """No session, clock, network or environment in domain.py, nor in the collision check."""
    own = (
        "services.contracts",
        "services.customers.collision",
        "services.customers.search.ranges",
        "services.customers.catalogue.domain",
    )
    for path in modules(*(f"services/{service}" for service in SERVICES)):
        if path.name in PURE or ("collision" in path.parts and "data" not in path.parts):
            its_own = OF_COLLISION if path.name not in PURE else set()
            assert roots_of(path) <= OF_VALUES | its_own, path
            assert all(name.startswith(own) for name in imports_of(path) if name.startswith("services.")), path
            assert "now()" not in path.read_text(encoding="utf-8"), path


def test_only_settings_reads_the_environment() -> None:
    allowed = {"settings.py", "green.py"}  # green sets one variable, before psycopg is imported
    services = (path for path in modules("services", "gateway") if path.name not in allowed)
    assert not offenders(
        services, lambda path: imports_of(path) & {"os.environ", "os.getenv"} or "os.environ" in path.read_text()
    )


def test_only_plumbing_commits() -> None:
    outside = (path for path in modules("services", "gateway") if "plumbing" not in path.parts)
    assert not offenders(outside, lambda path: ".commit(" in path.read_text(encoding="utf-8"))


def test_every_service_has_the_same_files() -> None:
    """A service that has grown is cut by idea instead, each part with what it serves."""
    for service in SERVICES:
        folder = ROOT / "services" / service
        names = {path.name for path in folder.iterdir() if path.name != "__pycache__"}
        assert names >= {"__init__.py", "models.py", "service.py", "migrations"}, service
        if service == "customers":
            parts = {path for path in folder.iterdir() if (path / "__init__.py").exists()} - {folder / "collision"}
            assert all((part / "service.py").exists() for part in parts)
        else:
            assert names >= {"domain.py", "queries.py"}, service


@pytest.mark.parametrize("service", SERVICES)
def test_no_module_of_a_service_needs_itself(service: str) -> None:
    """Whoever reads a module has what it stands on below it."""
    paths = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in modules(f"services/{service}")}
    needs = {name: imports_of(path) & paths.keys() - {name} for name, path in paths.items()}
    assert list(TopologicalSorter(needs).static_order())
