"""What a passport says of the person for whom somebody asks."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.reach import Grants
from services.identity import domain, queries
from services.identity.models import Person
from services.identity.rights import permissions_of_roles, rights_of
from services.plumbing.passport import Caller


def lacks_factor(opened: Row[Any]) -> bool:
    """Whether somebody, or a program for him, is let do nothing before he has a second factor."""
    asked_of = {*(opened.of_all_factor_roles or ()), *(opened.own_factor_roles or ())}
    if not asked_of or opened.factor_on_at is not None:
        return False
    custom = {role["key"]: role["grants"] for role in opened.asked_roles}
    asked = permissions_of_roles(asked_of, custom)
    return domain.lacks_factor(opened.roles, held=rights_of(opened), asked_of=asked, is_on=False)


def is_asked_for_factor(session: DatabaseSession, person: Person, factor_roles: Collection[str]) -> bool:
    """As `lacks_factor`, of somebody who has none and logs in."""
    facts = queries.find_facts(session, person.id) if factor_roles else None
    if facts is None:
        return False
    custom = {key: role.grants for key, role in queries.roles_by_key(session, factor_roles).items()}
    asked = permissions_of_roles(factor_roles, custom)
    return domain.lacks_factor(person.roles, held=rights_of(facts), asked_of=asked, is_on=False)


def caller_of(opened: Row[Any], grants: Grants, *, must_choose: bool = False) -> Caller:
    """Of a row with `queries.OF_PASSPORTS` and the id of the session or token."""
    return Caller(
        subject=str(opened.person_id),
        agency_id=opened.agency_id,
        department_id=opened.department_id,
        managed_department_ids=tuple(opened.managed_department_ids),
        other_department_ids=tuple(opened.other_department_ids),
        session_id=opened.id,
        roles=tuple(opened.roles),
        grants=grants,
        display_name=opened.display_name,
        password_change_required=must_choose,
    )
