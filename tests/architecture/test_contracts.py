"""Every operation is served and guarded, every event has a sample that must stay readable."""

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

from ops import permissions
from services import contracts
from services.contracts import customers
from services.contracts.audit import export_audit, list_audit, prune_audit
from services.contracts.base import SERVICES, Event, Operation, events_after, health
from services.contracts.errors import QudaoError, rebuild
from services.contracts.permissions import PERMISSIONS, ROLES, SYSTEM
from services.plumbing.events import check_subscriptions
from services.plumbing.rpc import operations_of

GOLDEN = Path(__file__).parent.parent / "golden" / "events.json"
CONTRACTS = [importlib.import_module(f"services.contracts.{found.name}") for found in pkgutil.iter_modules(contracts.__path__)]


def service_class(service: str) -> type:
    found: type = getattr(importlib.import_module(f"services.{service}.service"), f"{service.capitalize()}Service")
    return found


def declared(service: str) -> dict[str, Operation[Any, Any]]:
    values = [value for module in CONTRACTS for value in vars(module).values() if isinstance(value, Operation)]
    found = {value.name: value for value in values if value.service == service}
    of_all = (health, events_after, list_audit, export_audit, prune_audit)
    return found | {made(service).name: made(service) for made in of_all}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_serves_exactly_its_operations(service: str) -> None:
    assert operations_of(service_class(service)) == declared(service)


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_names_a_permission_that_exists(service: str) -> None:
    assert all(operation.permission in PERMISSIONS for operation in declared(service).values())


def test_every_permission_is_needed_by_an_operation_and_held_by_somebody() -> None:
    needed = {operation.permission for service in SERVICES for operation in declared(service).values()}
    held = {permission for grants in ROLES.values() for permission in grants} | {p for own in SYSTEM.values() for p in own}
    assert needed == PERMISSIONS
    assert held == PERMISSIONS


def test_no_role_holds_what_only_services_may() -> None:
    of_services = {permission for own in SYSTEM.values() for permission in own}
    assert all(not of_services & grants.keys() for grants in ROLES.values())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_hears_exactly_what_it_subscribed_to(service: str) -> None:
    check_subscriptions(service, service_class(service))


def test_every_event_has_a_golden_sample_that_reads_and_writes_the_same() -> None:
    samples = json.loads(GOLDEN.read_text(encoding="utf-8"))
    ours = {key for key, kind in Event.registry.items() if kind.__module__.startswith("services.contracts")}
    assert samples.keys() == {f"{source}.{name}" for source, name in ours}
    for key, sample in samples.items():
        source, name = key.split(".")
        assert Event.registry[(source, name)].model_validate(sample).model_dump(mode="json") == sample


def test_every_event_of_an_older_sender_is_read() -> None:
    for key, samples in json.loads(GOLDEN.with_name("older_events.json").read_text(encoding="utf-8")).items():
        source, name = key.split(".")
        for sample in samples:
            read = Event.registry[(source, name)].model_validate(sample).model_dump(mode="json")
            assert {field: read[field] for field in sample} == sample


def test_an_event_from_a_newer_sender_is_read_by_this_one() -> None:
    sample = json.loads(GOLDEN.read_text(encoding="utf-8"))["customers.customer_entered"]
    assert customers.CustomerEntered.model_validate({**sample, "added_later": True}).model_dump(mode="json") == sample


def test_whatever_is_refused_for_want_of_a_right_is_audited_as_a_denial() -> None:
    assert [kind for kind in QudaoError.registry.values() if kind.status == 403 and not kind.is_denial] == []


@pytest.mark.parametrize("kind", QudaoError.registry.values(), ids=lambda kind: kind.__name__)
def test_every_error_is_rebuilt_from_its_name_and_details(kind: type[QudaoError]) -> None:
    error = rebuild(kind.__name__, {"reason": "because"})
    assert (type(error), error.details, error.status) == (kind, {"reason": "because"}, kind.status)
    assert error.title.endswith(".")


def test_the_page_of_rights_says_what_is_checked() -> None:
    page = GOLDEN.parent.parent.parent / "docs" / "permissions.md"
    assert page.read_text(encoding="utf-8") == permissions.table()
