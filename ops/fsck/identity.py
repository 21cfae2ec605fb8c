"""What holds inside identity."""

from collections.abc import Iterator

from ops.fsck.invariant import Difference, Invariant, Look, by_sql, each_of
from ops.fsck.told import told
from services.contracts.grants import GrantChanged
from services.contracts.identity import AgencyAdded, DepartmentAdded, UserAdded, UserChanged
from services.contracts.permissions import ROLES, abilities_of
from services.contracts.roles import RoleChanged
from services.identity.rights import scopes_of_role

TREE = """
    SELECT below.id, 'wrong', 'its path is not that of its parent and itself'
    FROM department AS below LEFT JOIN department AS above ON above.id = below.parent_id AND above.agency_id = below.agency_id
    WHERE below.path <> concat_ws('.', above.path, below.id) OR (below.parent_id IS NOT NULL AND above.id IS NULL)
"""
CIRCLES = """
    SELECT id, 'wrong', 'he is above himself' FROM person
    WHERE supervisor_id IS NOT NULL AND id IN (SELECT supervisors_of(person.id))
"""
PEOPLE = "SELECT id, roles, abilities FROM person WHERE %(only)s::uuid[] IS NULL OR id = ANY(%(only)s)"


def abilities(look: Look) -> Iterator[Difference]:
    """What his roles make of somebody, as the roles are now."""
    custom = dict(look.rows("identity", "SELECT key, grants FROM role"))
    for person_id, roles, kept in look.rows("identity", PEOPLE):
        look.looked_at += 1
        if missing := [key for key in roles if key not in ROLES and key not in custom]:
            yield Difference(person_id, "wrong", f"person {person_id}", f"there is no role {missing[0]}")
        elif kept != (right := abilities_of(scopes_of_role(key, custom) for key in roles)):
            yield Difference(person_id, "wrong", f"person {person_id}", f"his abilities are {kept}, should be {right}")


def invariants() -> Iterator[Invariant]:
    people = told("person", UserAdded, UserChanged)
    rights = (told("role", RoleChanged), told("row_grant", GrantChanged))
    places = (told("agency", AgencyAdded), told("department", DepartmentAdded))
    yield Invariant("identity", "as told", each_of(*places, people, *rights))
    yield Invariant("identity", "abilities", abilities)
    yield Invariant("identity", "supervisors", by_sql("identity", "person", "person", CIRCLES))
    yield Invariant("identity", "tree", by_sql("identity", "department", "department", TREE))
