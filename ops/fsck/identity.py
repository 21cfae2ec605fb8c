"""What holds inside identity."""

from collections.abc import Iterator

from ops.fsck.invariant import Invariant, by_sql, each_of
from ops.fsck.told import told
from services.contracts.identity import AgencyAdded, DepartmentAdded, UserAdded, UserChanged

TREE = """
    SELECT below.id, 'wrong', 'its path is not that of its parent and itself'
    FROM department AS below LEFT JOIN department AS above ON above.id = below.parent_id AND above.agency_id = below.agency_id
    WHERE below.path <> concat_ws('.', above.path, below.id) OR (below.parent_id IS NOT NULL AND above.id IS NULL)
"""

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
    yield Invariant("identity", "as told", each_of(told("agency", AgencyAdded), told("department", DepartmentAdded), people))
    yield Invariant("identity", "names", by_sql("identity", "person", "person", IDENTIFIERS))
    yield Invariant("identity", "tree", by_sql("identity", "department", "department", TREE))
