"""What one caller sees of a customer's fields. Every answer that carries one of them goes through `restrict`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import Connection, literal, select
from sqlalchemy.orm import Session

from services.contracts.errors import FieldNotEditable
from services.contracts.fields import OWN, FieldPolicy, Level, Levels, RestrictedField, RestrictedView
from services.contracts.permissions import Scope
from services.customers.fields import domain, policy
from services.customers.team.access import is_shared_with
from services.plumbing.call import Call
from services.plumbing.masking import MASK, mask

Shown = TypeVar("Shown", bound=RestrictedView)
OUT_OF_SIGHT: Levels = dict.fromkeys(OWN, "hidden")


class Sight(NamedTuple):
    """What a caller sees of the customers that are his own, and of those that he oversees."""

    person_id: UUID
    own: Levels
    overseen: Levels

    def of(self, customer: Any, *, is_shared: bool = False) -> Levels:
        """Of a row within the caller's scope. `is_shared`: he works on it as a collaborator."""
        return self.own if is_shared or self.person_id == customer.owner_id else self.overseen

    def of_typed(self, person_id: UUID | None) -> Levels:
        """Of what somebody has typed, and no customer stands for it."""
        return self.own if self.person_id == person_id else self.overseen


def sight_of(connection: Connection | Session, call: Call, version: int | None = None) -> Sight:
    """By the policy of this version, which a row may bring along (`field_policy`), else by the one in force."""
    known = policy.in_force(connection).policy if version is None else policy.of_version(connection, version)
    return sight_by(known, call)


def levels_of(connection: Connection | Session, call: Call, customer: Any, version: int | None = None) -> Levels:
    """Of a row that has the customer's id and holder. Who works on it together with the holder sees it as his own."""
    sight = sight_of(connection, call, version)
    if customer.owner_id == sight.person_id:
        return sight.own
    shared = select(is_shared_with(call.caller, "read", literal(customer.id)))
    return sight.of(customer, is_shared=bool(connection.scalar(shared)))


def sight_by(known: FieldPolicy, call: Call) -> Sight:
    roles, updates = call.caller.roles, call.caller.grants.get("customer:update")
    return Sight(
        call.user_id,
        own=domain.levels_of(known, roles, "own", may_edit=updates is not None),
        overseen=domain.levels_of(known, roles, "overseen", may_edit=updates not in (None, Scope.OWN)),
    )


def searchable(connection: Connection | Session, call: Call) -> set[RestrictedField]:
    """By which fields the caller may filter, search or sort customers that he may read."""
    return searchable_by(sight_of(connection, call), call)


def searchable_by(sight: Sight, call: Call) -> set[RestrictedField]:
    reads_own_alone = call.caller.grants.get("customer:read") is Scope.OWN
    return domain.searchable([sight.own] if reads_own_alone else [sight.own, sight.overseen])


# --- showing


def mask_text(text: str) -> str:
    return "****"


def mask_name(name: str) -> str:
    """刘女士 is 刘**."""
    return f"{name[:1]}**"


MASKS: dict[RestrictedField, Callable[[str], str]] = {"phone": mask, "fax": mask, "email": mask, "contact_person": mask_name}


def masked_value(field: RestrictedField, value: str) -> str:
    return MASKS.get(field, mask_text)(value)


def restrict(view: Shown, levels: Levels) -> Shown:
    """The view as these levels allow it, with what is held back named in `restricted`. What is held back already stays so."""
    before, fields = view.restricted, type(view).model_fields
    held_back = {
        field: level
        for field, level in levels.items()
        if field in fields and not domain.is_shown(level) and before.get(field) not in (level, "hidden")
    }
    shown: dict[str, Any] = {field: shown_value(field, getattr(view, field), level) for field, level in held_back.items()}
    return view.model_copy(update=shown | {"restricted": {**before, **held_back}}) if held_back else view


def shown_value(field: RestrictedField, value: str | None, level: Level) -> str | None:
    return masked_value(field, value) if value is not None and level == "masked" else None


# --- changing


def refuse_uneditable(levels: Levels, current: Any, changes: Mapping[str, Any]) -> None:
    """Raises FieldNotEditable with the fields that the caller may not change, or for which he sends back a mask."""
    refused = sorted(
        field
        for field, level in levels.items()
        if field in changes and not may_write(field, level, getattr(current, field), changes[field])
    )
    if refused:
        raise FieldNotEditable(fields=refused)


def may_write(field: RestrictedField, level: Level, old: str | None, new: str | None) -> bool:
    """What is read may be sent back as it is; of what is masked or hidden, whether it is the same is not told either."""
    if not domain.is_shown(level):
        return False
    if new == old:
        return True
    return level == "edit" and not is_mask(field, old, new)


def is_mask(field: RestrictedField, old: str | None, new: str | None) -> bool:
    if new is None:
        return False
    return (field in ("phone", "fax", "email") and MASK in new) or (old is not None and new == masked_value(field, old))
