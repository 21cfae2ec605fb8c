"""Whether what is entered or changed of a customer is what headquarters has laid down."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from services.contracts.errors import InvalidRequest
from services.customers.catalogue import queries
from services.customers.catalogue.domain import Field, problem_of
from services.customers.collision.divisions import is_division

CHOSEN = {"source": "source", "category": "category", "key_criteria": "key_criterion"}
"""Which field takes its values from which dictionary. An industry may be any text: its dictionary is open."""
OF_THE_SYSTEM = {("source", "own"), ("category", "potential")}
"""They are always there, so that most entries need not be looked up."""

Problem = dict[str, str]


def refuse_unknown(session: Session, given: Mapping[str, Any], *, is_new: bool) -> None:
    """Raises InvalidRequest with the place of everything that is not laid down. `given`: the fields of a customer by name.

    What a customer has already is no matter: who sends a custom field with null empties it. New customers need required fields.
    """
    problems = [*_of_choices(session, given), *_of_place(given), *_of_custom(session, given, is_new)]
    if given.get("key_criteria") and not given.get("is_key", True):
        problems.append(_problem("/key_criteria", "only a key customer has them"))
    if problems:
        raise InvalidRequest(errors=problems)


def refuse_reason(session: Session, reason: str) -> None:
    """Raises InvalidRequest for a reason to release that is not laid down."""
    asked = {("release_reason", reason)}
    if not queries.active_of(session, asked):
        told = f"{reason} is not in the dictionary release_reason, or not in use any more"
        raise InvalidRequest(errors=[_problem("/reason", told)])


def _of_choices(session: Session, given: Mapping[str, Any]) -> Iterator[Problem]:
    chosen = [(kind, code, name) for name, kind in CHOSEN.items() for code in _codes(given.get(name))]
    asked = {(kind, code) for kind, code, _ in chosen} - OF_THE_SYSTEM
    active = queries.active_of(session, asked) if asked else set()
    for kind, code, name in chosen:
        if (kind, code) in asked - active:
            yield _problem(f"/{name}", f"{code} is not in the dictionary {kind}, or not in use any more")


def _codes(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _of_place(given: Mapping[str, Any]) -> Iterator[Problem]:
    if (code := given.get("division")) and not is_division(code):
        yield _problem("/division", "is no code of a province, city or district")


def _of_custom(session: Session, given: Mapping[str, Any], is_new: bool) -> Iterator[Problem]:
    values: Mapping[str, Any] = given.get("custom") or {}
    if not (values or is_new):
        return
    fields = queries.active_fields(session)
    for key, value in values.items():
        if problem := _of_value(fields.get(key), value):
            yield _problem(f"/custom/{key}", problem)
    for field in fields.values() if is_new else ():
        if field.is_required and values.get(field.key) is None:
            yield _problem(f"/custom/{field.key}", "is required")


def _of_value(field: Field | None, value: Any) -> str | None:
    if field is None:
        return "is no custom field, or not in use any more"
    return None if value is None else problem_of(field, value)


def _problem(pointer: str, detail: str) -> Problem:
    return {"in": "body", "pointer": pointer, "detail": detail}
