"""What a passport says of the person for whom somebody asks."""

from typing import Any

from sqlalchemy import Row

from services.contracts.reach import Grants
from services.identity import domain
from services.plumbing.passport import Caller


def lacks_factor(opened: Row[Any]) -> bool:
    """Whether somebody, or a program for him, is let do nothing before he has a second factor."""
    asked_of = [*(opened.of_all_factor_roles or ()), *(opened.own_factor_roles or ())]
    return domain.lacks_factor(opened.roles, asked_of=asked_of, is_on=opened.factor_on_at is not None)


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
