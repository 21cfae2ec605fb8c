"""Who may do what: the one source for the code, the documents and the tests.

A permission is `resource:action`. A role grants it with a scope, which says on whose records it counts. The roles that stand
here are built in; others are made by administrators. What several roles give together stands in `reach`.
Services act under their own name with the permissions listed here; a user can never hold those.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal, get_args

Permission = Literal[
    # people
    "access:explain",
    "agency:create",
    "agency:freeze",
    "agency:read",
    "agency:update",
    "attempt:read",
    "audit:export",
    "audit:read",
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
    "department:freeze",
    "department:merge",
    "department:move",
    "department:read",
    "department:update",
    "dispute:answer",
    "dispute:decide",
    "dispute:open",
    "dispute:read",
    "factor:manage",
    "factor:reset",
    "field:configure",
    "field:reveal",
    "grant:give",
    "grant:read",
    "group:create",
    "group:manage",
    "group:read",
    "handoff:answer",
    "handoff:create",
    "handoff:read",
    "leaving:read",
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
    "role:manage",
    "role:read",
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
    "user:leave",
    "user:read",
    "user:reset",
    "user:restore",
    "user:update",
    # services only
    "allowance:read",
    "audit:prune",
    "customer:file",
    "customer:reclaim",
    "deadline:close",
    "event:read",
    "handoff:lapse",
    "handover:perform",
    "health:read",
    "member:receive",
    "person:read",
    "place:read",
    "review:open",
    "session:open",
    "session:resolve",
    "setup:perform",
    "user:lock",
]


class Scope(StrEnum):
    """On whose records a permission counts; each holds one's own, AGENCY all of the others but ALL.

    OWN: what one holds or did oneself, and the custom pools and sales groups that one looks after. SUBORDINATES: besides, of
    those whose supervisor one is, of those whose supervisors they are, and so on. DEPARTMENT_ALONE: of the people of one's
    departments. DEPARTMENT: and of those below them. MANAGED: besides, of the departments that one's account oversees (管辖部门)
    and those below them. LISTED: of the departments that the role names and those below them. AGENCY: of one's agency, its pools
    included.
    """

    OWN = "own"
    SUBORDINATES = "subordinates"
    DEPARTMENT_ALONE = "department_alone"
    DEPARTMENT = "department"
    MANAGED = "managed"
    LISTED = "listed"
    AGENCY = "agency"
    ALL = "all"


RoleGrants = dict[Permission, Scope]

BEFORE_OWN_PASSWORD: RoleGrants = {"password:change": Scope.OWN, "profile:read": Scope.OWN, "session:end": Scope.OWN}
"""All that a session opened with a one-time code or an expired password may do."""

OF_EVERYBODY: RoleGrants = {
    **BEFORE_OWN_PASSWORD,
    "factor:manage": Scope.OWN,
    "profile:update": Scope.OWN,
    "session:read": Scope.OWN,
    "token:read": Scope.OWN,
    "token:revoke": Scope.OWN,
}
OF_READERS: RoleGrants = {
    **OF_EVERYBODY,
    "access:explain": Scope.OWN,
    "agency:read": Scope.OWN,
    "audit:read": Scope.OWN,
    "catalogue:read": Scope.AGENCY,
    "collision:check": Scope.AGENCY,
    "department:read": Scope.AGENCY,
    "grant:read": Scope.OWN,
    "group:read": Scope.AGENCY,
    "policy:read": Scope.AGENCY,
    "pool:read": Scope.AGENCY,
    "role:read": Scope.AGENCY,
    "user:read": Scope.AGENCY,
}
OF_SELLERS: RoleGrants = {
    **OF_READERS,
    "collaborator:manage": Scope.OWN,
    "customer:assign": Scope.OWN,
    "customer:claim": Scope.OWN,
    "customer:create": Scope.OWN,
    "customer:update": Scope.OWN,
    "dispute:answer": Scope.OWN,
    "dispute:open": Scope.OWN,
    "group:manage": Scope.OWN,
    "handoff:answer": Scope.OWN,
    "handoff:create": Scope.OWN,
    "note:create": Scope.OWN,
    "pool:administer": Scope.OWN,
}


def overseeing(scope: Scope) -> RoleGrants:
    """What is seen of people's work, and what is done with the customers that they hold."""
    return {**watching(scope), "customer:release": scope}


def watching(scope: Scope) -> RoleGrants:
    return {
        "attempt:read": scope,
        "customer:read": scope,
        "day:read": scope,
        "deadline:read": scope,
        "dispute:read": scope,
        "grant:read": scope,
        "handoff:read": scope,
        "member:read": scope,
        "note:read": scope,
        "reveal:read": scope,
        "review:read": scope,
    }


def deciding(scope: Scope) -> RoleGrants:
    return {
        "collaborator:manage": scope,
        "customer:transfer": scope,
        "dispute:decide": scope,
        "field:reveal": scope,
        "grant:give": scope,
        "handoff:create": scope,
        "review:decide": scope,
    }


def administering(scope: Scope) -> RoleGrants:
    return {
        **deciding(scope),
        "access:explain": scope,
        "audit:export": scope,
        "audit:read": scope,
        "customer:assign": scope,
        "department:create": scope,
        "department:freeze": scope,
        "department:merge": scope,
        "department:move": scope,
        "department:update": scope,
        "factor:reset": scope,
        "group:create": scope,
        "group:manage": scope,
        "leaving:read": scope,
        "log:read": scope,
        "login:configure": scope,
        "member:configure": scope,
        "member:create": scope,
        "policy:set": scope,
        "pool:administer": scope,
        "pool:manage": scope,
        "role:manage": scope,
        "session:end": scope,
        "session:read": scope,
        "territory:read": scope,
        "territory:set": scope,
        "token:create": scope,
        "token:read": scope,
        "token:revoke": scope,
        "user:create": scope,
        "user:disable": scope,
        "user:invite": scope,
        "user:leave": scope,
        "user:reset": scope,
        "user:restore": scope,
        "user:update": scope,
    }


ROLES: dict[str, RoleGrants] = {
    "rep": {**OF_SELLERS, **overseeing(Scope.OWN)},
    "supervisor": {
        **OF_SELLERS,
        **overseeing(Scope.DEPARTMENT),
        **deciding(Scope.DEPARTMENT),
        "leaving:read": Scope.DEPARTMENT,
    },
    "manager": {**OF_SELLERS, **overseeing(Scope.MANAGED), **deciding(Scope.MANAGED), "leaving:read": Scope.MANAGED},
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
        "agency:freeze": Scope.ALL,
        "agency:update": Scope.ALL,
        "catalogue:configure": Scope.ALL,
        "collision:configure": Scope.ALL,
        "field:configure": Scope.ALL,
    },
    "auditor": {
        **OF_READERS,
        **watching(Scope.AGENCY),
        "audit:export": Scope.AGENCY,
        "audit:read": Scope.AGENCY,
        "leaving:read": Scope.AGENCY,
        "log:read": Scope.AGENCY,
        "territory:read": Scope.AGENCY,
    },
}
RoleName = Literal["rep", "supervisor", "manager", "agency_admin", "subsystem_admin", "auditor"]

OF_RECORDS: frozenset[Permission] = frozenset(
    {"customer:release", "customer:update", "leaving:read", *watching(Scope.OWN), *deciding(Scope.OWN)}
) - {"note:read"}
"""What counts on records one by one, so that every scope has its meaning, and a grant may name whose. Notes are read wherever
their customer is."""


def scopes_of(permission: Permission) -> frozenset[Scope]:
    """With which scopes a role may grant it. What is not about records counts as in the built-in roles and not otherwise."""
    if permission in OF_RECORDS:
        return frozenset(Scope)
    return frozenset(grants[permission] for grants in ROLES.values() if permission in grants)


Ability = Literal["administers", "holds", "oversees", "sells"]
"""What a person's roles make of him, for those who ask about him while he does not call.

administers: he manages the pools of his agency, and is named when somebody has to be asked. holds: he may hold customers.
oversees: a role of his counts on managed departments, so that he must have some. sells: of the holders, one whose role reads his
own customers alone; web-registered members come to these in turn.
"""


def abilities_of(roles: Iterable[Mapping[Permission, Scope]]) -> list[Ability]:
    found: set[Ability] = set()
    for grants in roles:
        found |= {"administers"} if grants.get("pool:manage") is Scope.AGENCY else set()
        found |= {"oversees"} if Scope.MANAGED in grants.values() else set()
        if "customer:claim" in grants:
            found |= {"holds", "sells"} if grants.get("customer:read") is Scope.OWN else {"holds"}
    return sorted(found)


def abilities_of_built_in(roles: Iterable[str]) -> list[Ability]:
    return abilities_of(ROLES[role] for role in roles if role in ROLES)


BEFORE_SECOND_FACTOR: RoleGrants = {**BEFORE_OWN_PASSWORD, "factor:manage": Scope.OWN}
"""All that one may do who needs a second factor and has none."""

NOT_FOR_TOKENS: frozenset[Permission] = frozenset(
    {
        "agency:freeze",
        "factor:manage",
        "factor:reset",
        "field:configure",
        "grant:give",
        "group:manage",
        "login:configure",
        "member:configure",
        "password:change",
        "profile:update",
        "role:manage",
        "session:end",
        "session:read",
        "token:create",
        "token:read",
        "token:revoke",
        "user:invite",
        "user:leave",
        "user:reset",
        "user:restore",
        "user:update",
    }
)
"""What takes a person: who finds a program's token must neither get into an account by it nor outlive it, by rights that he gives
to an account of his own, an account that he opens again, or a secret that is told to him; nor shut out an agency, or give away
for good all that somebody holds."""

SYSTEM: dict[str, frozenset[Permission]] = {
    "gateway": frozenset({"health:read", "member:receive", "session:open", "session:resolve", "setup:perform"}),
    "identity": frozenset({"audit:prune", "event:read", "user:lock"}),
    "customers": frozenset(
        {
            "allowance:read",
            "audit:prune",
            "customer:file",
            "event:read",
            "handoff:lapse",
            "handover:perform",
            "person:read",
            "place:read",
            "review:open",
        }
    ),
    "activities": frozenset({"audit:prune", "event:read"}),
    "rules": frozenset({"audit:prune", "customer:reclaim", "deadline:close", "event:read", "person:read", "place:read"}),
}
"""What each issuer of passports may do under its own name."""

PERMISSIONS: frozenset[str] = frozenset(get_args(Permission))
