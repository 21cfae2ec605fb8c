"""Whether what is entered or changed of a customer is what headquarters has laid down."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from services.contracts.customers import CustomerFields
from services.contracts.errors import InvalidRequest
from services.customers.catalogue import queries
from services.customers.catalogue.domain import Field, problem_of
from services.customers.collision.divisions import is_division

CHOSEN = {"source": "source", "category": "category", "key_criteria": "key_criterion"}
"""Which field takes its values from which dictionary. An industry may be any text: its dictionary is open."""
OF_THE_SYSTEM = {("source", "own"), ("category", "potential")}
"""They are always there, so that most entries need not be looked up."""
JUDGED = ("source", "category", "key_criteria", "is_key", "division", "custom")

Problem = dict[str, str]


class Catalogue:
    """What is laid down, as a transaction finds it when it first asks."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._looked_up: dict[tuple[str, str], bool] = dict.fromkeys(OF_THE_SYSTEM, True)

    def refuse_unknown(self, given: Mapping[str, Any], *, is_new: bool) -> None:
        """Raises InvalidRequest with the place of everything that is not laid down. `given`: the fields of a customer by name.

        What a customer has already is no matter: who sends a custom field with null empties it. New customers need required
        fields.
        """
        problems = [*self._of_choices(given), *_of_place(given), *self._of_custom(given, is_new)]
        if given.get("key_criteria") and not given.get("is_key", True):
            problems.append(_problem("/key_criteria", "only a key customer has them"))
        if problems:
            raise InvalidRequest(errors=problems)

    def refuse_reason(self, reason: str) -> None:
        """Raises InvalidRequest for a reason to release that is not laid down."""
        if not self._is_active("release_reason", reason):
            raise InvalidRequest(errors=[_unchosen("reason", "release_reason", reason)])

    def _of_choices(self, given: Mapping[str, Any]) -> Iterator[Problem]:
        for name, kind in CHOSEN.items():
            for code in _codes(given.get(name)):
                if not self._is_active(kind, code):
                    yield _unchosen(name, kind, code)

    def _is_active(self, kind: str, code: str) -> bool:
        if (kind, code) not in self._looked_up:
            self._looked_up[kind, code] = queries.is_active(self._session, kind, code)
        return self._looked_up[kind, code]

    def _of_custom(self, given: Mapping[str, Any], is_new: bool) -> Iterator[Problem]:
        values: Mapping[str, Any] = given.get("custom") or {}
        if not (values or is_new):
            return
        for key, value in values.items():
            if problem := _of_value(self._fields.get(key), value):
                yield _problem(f"/custom/{key}", problem)
        for field in self._fields.values() if is_new else ():
            if field.is_required and values.get(field.key) is None:
                yield _problem(f"/custom/{field.key}", "is required")

    @cached_property
    def _fields(self) -> dict[str, Field]:
        return queries.active_fields(self._session)


def as_given(fields: CustomerFields) -> dict[str, Any]:
    """What of a new customer is judged."""
    return {name: getattr(fields, name) for name in JUDGED}


def _codes(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _of_place(given: Mapping[str, Any]) -> Iterator[Problem]:
    if (code := given.get("division")) and not is_division(code):
        yield _problem("/division", "is no code of a province, city or district")


def _of_value(field: Field | None, value: Any) -> str | None:
    if field is None:
        return "is no custom field, or not in use any more"
    return None if value is None else problem_of(field, value)


def _unchosen(name: str, kind: str, code: str) -> Problem:
    return _problem(f"/{name}", f"{code} is not in the dictionary {kind}, or not in use any more")


def _problem(pointer: str, detail: str) -> Problem:
    return {"in": "body", "pointer": pointer, "detail": detail}
