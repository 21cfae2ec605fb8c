"""Decisions about fields: what somebody sees by all of his roles, and by which day reveals count. Values in, decision out."""

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from services.contracts.fields import (
    OWN,
    REVEALS_A_DAY,
    FieldLevels,
    FieldPolicy,
    Level,
    Levels,
    Relation,
    RestrictedField,
)

TIME_ZONE = ZoneInfo("Asia/Shanghai")
WIDTH = {level: width for width, level in enumerate(get_args(Level))}
BY_DEFAULT = FieldLevels()


def levels_of(policy: FieldPolicy, roles: Collection[str], relation: Relation, *, may_edit: bool) -> Levels:
    """The widest of all roles. One that agencies have made themselves is in no policy and has the narrowest of those that are:
    what headquarters hides nobody shows again by a role of his own. `edit` only for who may change customers."""
    known: dict[str, Levels] = {str(role): getattr(levels, relation) for role, levels in policy.levels.items()}
    narrowest: Levels = {field: min((levels[field] for levels in known.values()), key=WIDTH.__getitem__) for field in OWN}
    of_roles = [known.get(role, narrowest) for role in roles] or [getattr(BY_DEFAULT, relation)]
    widest = {field: max((levels[field] for levels in of_roles), key=WIDTH.__getitem__) for field in OWN}
    return widest if may_edit else {field: min(level, "read", key=WIDTH.__getitem__) for field, level in widest.items()}


def is_shown(level: Level) -> bool:
    """As it is, neither hidden nor masked."""
    return is_as_wide(level, "read")


def is_as_wide(level: Level, other: Level) -> bool:
    return WIDTH[level] >= WIDTH[other]


def searchable(relations: Collection[Levels]) -> set[RestrictedField]:
    """Fields that are shown wherever the caller may look: by any other one a search would tell what is masked, bit by bit."""
    return {field for field in OWN if all(is_shown(levels[field]) for levels in relations)}


def reveals_a_day(policy: FieldPolicy, roles: Collection[str]) -> int:
    known = {str(role): limit for role, limit in policy.reveals_a_day.items()}
    return max((known.get(role, min(known.values())) for role in roles), default=REVEALS_A_DAY)


def local_day(moment: datetime) -> date:
    return moment.astimezone(TIME_ZONE).date()


def end_of(day: date) -> datetime:
    """When the next one begins."""
    return datetime.combine(day + timedelta(days=1), time(), TIME_ZONE)
