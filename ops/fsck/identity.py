"""What holds inside identity."""

from collections.abc import Iterator

from ops.fsck.invariant import Difference, Invariant, Look, by_sql, each_of
from ops.fsck.told import told
from services.contracts.grants import GrantChanged
from services.contracts.groups import GroupChanged
from services.contracts.identity import UserAdded, UserChanged
from services.contracts.inactivity import InactivityNoticed, InactivitySet
from services.contracts.leaving import LeavingChanged
from services.contracts.permissions import ROLES, abilities_of
from services.contracts.roles import RoleChanged
from services.contracts.tree import AgencyAdded, AgencyChanged, DepartmentAdded, DepartmentChanged
from services.identity.rights import scopes_of_role

# By way of their parents: those that come from no root stand below themselves. A name begins with the agency's.
TREE = """
    WITH RECURSIVE placed AS (
        SELECT id, agency_id, id::text AS path FROM department WHERE parent_id IS NULL
        UNION ALL
        SELECT below.id, below.agency_id, concat(placed.path, '.', below.id)
        FROM placed JOIN department AS below ON below.parent_id = placed.id AND below.agency_id = placed.agency_id
    )
    SELECT department.id, 'wrong',
           CASE WHEN placed.id IS NULL THEN 'it does not stand below a root of its agency'
                WHEN placed.path <> department.path THEN 'its path is not that of its parent and itself'
                ELSE 'its name does not begin with the name of its agency' END
    FROM department LEFT JOIN placed ON placed.id = department.id JOIN agency ON agency.id = department.agency_id
    WHERE placed.id IS NULL OR placed.path <> department.path OR NOT starts_with(department.name, agency.name)
"""
# Nobody is in a department that was merged into another one or is another agency's, nor oversees one.
MEMBERS = """
    SELECT person.id, 'wrong', 'is in a department, or oversees one, that is not of the agency or was merged into another one'
    FROM person WHERE EXISTS (
        SELECT FROM unnest(department_id || other_department_ids || managed_department_ids) AS named(id)
        LEFT JOIN department ON department.id = named.id AND department.agency_id = person.agency_id
        WHERE department.id IS NULL OR department.status = 'merged')
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


IDENTIFIERS = """
    WITH given AS (
        SELECT DISTINCT name, id AS person_id FROM person, unnest(ARRAY[login, staff_no, email]) AS name WHERE name IS NOT NULL
    )
    SELECT coalesce(given.person_id, kept.person_id),
           CASE WHEN given.name IS NULL THEN 'wrong' ELSE 'missing' END,
           CASE WHEN given.name IS NULL THEN 'logs in by a name that is not his' ELSE 'cannot log in by a name of his' END
    FROM given FULL JOIN identifier AS kept ON kept.name = given.name AND kept.person_id = given.person_id
    WHERE given.name IS NULL OR kept.name IS NULL
"""


def invariants() -> Iterator[Invariant]:
    people = told("person", UserAdded, UserChanged)
    rights = (told("role", RoleChanged), told("row_grant", GrantChanged))
    departments = told("department", DepartmentAdded, DepartmentChanged, untold="path")
    places = (told("agency", AgencyAdded, AgencyChanged), departments, told("sales_group", GroupChanged))
    yield Invariant("identity", "as told", each_of(*places, people, *rights))
    inactivity = (told("inactivity_policy", InactivitySet), told("inactivity_notice", InactivityNoticed))
    yield Invariant("identity", "inactivity as told", each_of(*inactivity))
    yield Invariant("identity", "leavings as told", told("leaving", LeavingChanged))
    yield Invariant("identity", "abilities", abilities)
    yield Invariant("identity", "supervisors", by_sql("identity", "person", "person", CIRCLES))
    yield Invariant("identity", "names", by_sql("identity", "person", "person", IDENTIFIERS))
    yield Invariant("identity", "tree", by_sql("identity", "department", "department", TREE))
    yield Invariant("identity", "departments of people", by_sql("identity", "person", "person", MEMBERS))
