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
    "attempt:read",
    "catalogue:configure",
    "catalogue:read",
    "collaborator:manage",
    "collision:check",
    "collision:configure",
    "customer:assign",
    "customer:claim",
    "customer:create",
    "customer:read",
    "customer:release",
    "customer:transfer",
    "customer:update",
    "day:read",
    "deadline:read",
    "department:create",
    "department:read",
    "dispute:answer",
    "dispute:decide",
    "dispute:open",
    "dispute:read",
    "factor:manage",
    "factor:reset",
    "field:configure",
    "field:reveal",
    "handoff:answer",
    "handoff:create",
    "handoff:read",
    "log:read",
    "login:configure",
    "member:configure",
    "member:create",
    "member:read",
    "note:create",
    "note:read",
    "password:change",
    "policy:read",
    "policy:set",
    "pool:administer",
    "pool:manage",
    "pool:read",
    "profile:read",
    "profile:update",
    "reveal:read",
    "review:decide",
    "review:read",
    "session:end",
    "session:read",
    "territory:read",
    "territory:set",
    "token:create",
    "token:read",
    "token:revoke",
    "user:create",
    "user:disable",
    "user:invite",
    "user:read",
    "user:reset",
    "user:restore",
    "user:update",
    # services only
    "allowance:read",
    "customer:file",
    "customer:reclaim",
    "deadline:close",
    "event:read",
    "handoff:lapse",
    "health:read",
    "member:receive",
    "person:read",
    "review:open",
    "session:open",
    "session:resolve",
    "setup:perform",
    "user:lock",
]


class Scope(StrEnum):
    """On whose records a permission counts, from narrow to wide; each holds the one before it.

    OWN: what one holds or did oneself, and the custom pools that one administers. DEPARTMENT: of the people of one's department
    and those below it. MANAGED: besides, of the departments that one's account oversees (管辖部门) and those below them.
    AGENCY: of one's agency, its pools included.
    """

    OWN = "own"
    DEPARTMENT = "department"
    MANAGED = "managed"
    AGENCY = "agency"
    ALL = "all"


Grants = dict[Permission, Scope]

BEFORE_OWN_PASSWORD: Grants = {"password:change": Scope.OWN, "profile:read": Scope.OWN, "session:end": Scope.OWN}
"""All that a session opened with a one-time code or an expired password may do."""

OF_EVERYBODY: Grants = {
    **BEFORE_OWN_PASSWORD,
    "factor:manage": Scope.OWN,
    "profile:update": Scope.OWN,
    "session:read": Scope.OWN,
    "token:read": Scope.OWN,
    "token:revoke": Scope.OWN,
}
OF_READERS: Grants = {
    **OF_EVERYBODY,
    "agency:read": Scope.OWN,
    "catalogue:read": Scope.AGENCY,
    "collision:check": Scope.AGENCY,
    "department:read": Scope.AGENCY,
    "policy:read": Scope.AGENCY,
    "pool:read": Scope.AGENCY,
    "user:read": Scope.AGENCY,
}
OF_SELLERS: Grants = {
    **OF_READERS,
    "collaborator:manage": Scope.OWN,
    "customer:assign": Scope.OWN,
    "customer:claim": Scope.OWN,
    "customer:create": Scope.OWN,
    "customer:update": Scope.OWN,
    "dispute:answer": Scope.OWN,
    "dispute:open": Scope.OWN,
    "handoff:answer": Scope.OWN,
    "handoff:create": Scope.OWN,
    "note:create": Scope.OWN,
    "pool:administer": Scope.OWN,
}


def overseeing(scope: Scope) -> Grants:
    """What is seen of people's work, and what is done with the customers that they hold."""
    return {**watching(scope), "customer:release": scope}


def watching(scope: Scope) -> Grants:
    return {
        "attempt:read": scope,
        "customer:read": scope,
        "day:read": scope,
        "deadline:read": scope,
        "dispute:read": scope,
        "handoff:read": scope,
        "member:read": scope,
        "note:read": scope,
        "reveal:read": scope,
        "review:read": scope,
    }


def deciding(scope: Scope) -> Grants:
    return {
        "collaborator:manage": scope,
        "customer:transfer": scope,
        "dispute:decide": scope,
        "field:reveal": scope,
        "handoff:create": scope,
        "review:decide": scope,
    }


def administering(scope: Scope) -> Grants:
    return {
        **deciding(scope),
        "customer:assign": scope,
        "department:create": scope,
        "factor:reset": scope,
        "log:read": scope,
        "login:configure": scope,
        "member:configure": scope,
        "member:create": scope,
        "policy:set": scope,
        "pool:administer": scope,
        "pool:manage": scope,
        "session:end": scope,
        "session:read": scope,
        "territory:read": scope,
        "territory:set": scope,
        "token:create": Scope.OWN,
        "token:read": scope,
        "token:revoke": scope,
        "user:create": scope,
        "user:disable": scope,
        "user:invite": scope,
        "user:reset": scope,
        "user:restore": scope,
        "user:update": scope,
    }


ROLES: dict[str, Grants] = {
    "rep": {**OF_SELLERS, **overseeing(Scope.OWN)},
    "supervisor": {**OF_SELLERS, **overseeing(Scope.DEPARTMENT), **deciding(Scope.DEPARTMENT)},
    "manager": {**OF_SELLERS, **overseeing(Scope.MANAGED), **deciding(Scope.MANAGED)},
    "agency_admin": {
        **OF_READERS,
        **overseeing(Scope.AGENCY),
        **administering(Scope.AGENCY),
        "dispute:answer": Scope.AGENCY,
    },
    "subsystem_admin": {
        **dict.fromkeys(OF_READERS, Scope.ALL),
        **OF_EVERYBODY,
        **overseeing(Scope.ALL),
        **administering(Scope.ALL),
        "agency:create": Scope.ALL,
        "catalogue:configure": Scope.ALL,
        "collision:configure": Scope.ALL,
        "field:configure": Scope.ALL,
    },
    "auditor": {**OF_READERS, **watching(Scope.AGENCY), "log:read": Scope.AGENCY, "territory:read": Scope.AGENCY},
}
RoleName = Literal["rep", "supervisor", "manager", "agency_admin", "subsystem_admin", "auditor"]

HOLDERS: frozenset[str] = frozenset(role for role, grants in ROLES.items() if "customer:claim" in grants)
"""The roles whose people may hold customers."""

BEFORE_SECOND_FACTOR: Grants = {**BEFORE_OWN_PASSWORD, "factor:manage": Scope.OWN}
"""All that one may do who needs a second factor and has none."""

NOT_FOR_TOKENS: frozenset[Permission] = frozenset(
    {
        "factor:manage",
        "factor:reset",
        "login:configure",
        "password:change",
        "profile:update",
        "session:end",
        "session:read",
        "token:create",
        "token:read",
        "token:revoke",
        "user:invite",
        "user:reset",
    }
)
"""What takes a person: who finds a program's token must neither get into an account by it nor outlive it."""

SYSTEM: dict[str, frozenset[Permission]] = {
    "gateway": frozenset({"health:read", "member:receive", "session:open", "session:resolve", "setup:perform"}),
    "identity": frozenset({"event:read", "user:lock"}),
    "customers": frozenset({"allowance:read", "customer:file", "event:read", "handoff:lapse", "person:read", "review:open"}),
    "activities": frozenset({"event:read"}),
    "rules": frozenset({"customer:reclaim", "deadline:close", "event:read", "person:read"}),
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
