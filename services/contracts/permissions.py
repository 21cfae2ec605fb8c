"""Who may do what: the one source for the code, the documents and the tests.

A permission is `resource:action`. A role grants it with a scope, which says on whose records it counts.
Services act under their own name with the permissions listed here; a user can never hold those.
"""

from enum import StrEnum
from typing import Literal, get_args

Permission = Literal[
    # people
    "agency:create",
    "agency:read",
    "customer:create",
    "customer:read",
    "customer:update",
    "day:read",
    "department:create",
    "department:read",
    "log:read",
    "note:create",
    "note:read",
    "password:change",
    "profile:read",
    "session:end",
    "user:create",
    "user:invite",
    "user:read",
    # services only
    "event:read",
    "health:read",
    "session:open",
    "session:resolve",
    "setup:perform",
]


class Scope(StrEnum):
    """On whose records a permission counts, from narrow to wide."""

    OWN = "own"
    DEPARTMENT = "department"
    AGENCY = "agency"
    ALL = "all"


Grants = dict[Permission, Scope]

OF_EVERYBODY: Grants = {"password:change": Scope.OWN, "profile:read": Scope.OWN, "session:end": Scope.OWN}
OF_READERS: Grants = {"agency:read": Scope.OWN, "department:read": Scope.AGENCY, "user:read": Scope.AGENCY}
OF_SELLERS: Grants = {
    **OF_READERS,
    "customer:create": Scope.OWN,
    "customer:update": Scope.OWN,
    "note:create": Scope.OWN,
    "day:read": Scope.OWN,
}

ROLES: dict[str, Grants] = {
    "rep": {**OF_EVERYBODY, **OF_SELLERS, "customer:read": Scope.OWN, "note:read": Scope.OWN},
    "supervisor": {**OF_EVERYBODY, **OF_SELLERS, "customer:read": Scope.DEPARTMENT, "note:read": Scope.DEPARTMENT},
    "manager": {**OF_EVERYBODY, **OF_SELLERS, "customer:read": Scope.DEPARTMENT, "note:read": Scope.DEPARTMENT},
    "agency_admin": {
        **OF_EVERYBODY,
        **OF_READERS,
        "customer:read": Scope.AGENCY,
        "note:read": Scope.AGENCY,
        "department:create": Scope.AGENCY,
        "user:create": Scope.AGENCY,
        "user:invite": Scope.AGENCY,
        "log:read": Scope.AGENCY,
    },
    "subsystem_admin": {
        **OF_EVERYBODY,
        "agency:create": Scope.ALL,
        "agency:read": Scope.ALL,
        "department:create": Scope.ALL,
        "department:read": Scope.ALL,
        "user:create": Scope.ALL,
        "user:invite": Scope.ALL,
        "user:read": Scope.ALL,
        "customer:read": Scope.ALL,
        "note:read": Scope.ALL,
        "log:read": Scope.ALL,
    },
    "auditor": {
        **OF_EVERYBODY,
        **OF_READERS,
        "customer:read": Scope.AGENCY,
        "note:read": Scope.AGENCY,
        "log:read": Scope.AGENCY,
    },
}
RoleName = Literal["rep", "supervisor", "manager", "agency_admin", "subsystem_admin", "auditor"]

BEFORE_OWN_PASSWORD: Grants = {"password:change": Scope.OWN, "profile:read": Scope.OWN, "session:end": Scope.OWN}
"""All that a session opened with a one-time code may do."""

SYSTEM: dict[str, frozenset[Permission]] = {
    "gateway": frozenset({"health:read", "session:open", "session:resolve", "setup:perform"}),
    "identity": frozenset({"event:read"}),
    "customers": frozenset({"event:read"}),
    "activities": frozenset({"event:read"}),
    "rules": frozenset({"event:read"}),
}
"""What each issuer of passports may do under its own name."""

PERMISSIONS: frozenset[str] = frozenset(get_args(Permission))


def union_of(roles: list[str]) -> Grants:
    """The permissions of several roles together: the widest scope wins."""
    widest = list(Scope)
    granted: Grants = {}
    for role in roles:
        for permission, scope in ROLES[role].items():
            held = granted.get(permission, scope)
            granted[permission] = max(held, scope, key=widest.index)
    return granted
