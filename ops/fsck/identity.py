"""What holds inside identity."""

from collections.abc import Iterator

from ops.fsck.invariant import Invariant, by_sql, each_of
from ops.fsck.told import told
from services.contracts.identity import AgencyAdded, DepartmentAdded, UserAdded, UserChanged
from services.contracts.inactivity import InactivityNoticed, InactivitySet
from services.contracts.leaving import LeavingChanged

TREE = """
    SELECT below.id, 'wrong', 'its path is not that of its parent and itself'
    FROM department AS below LEFT JOIN department AS above ON above.id = below.parent_id AND above.agency_id = below.agency_id
    WHERE below.path <> concat_ws('.', above.path, below.id) OR (below.parent_id IS NOT NULL AND above.id IS NULL)
"""


def invariants() -> Iterator[Invariant]:
    people = told("person", UserAdded, UserChanged)
    yield Invariant("identity", "as told", each_of(told("agency", AgencyAdded), told("department", DepartmentAdded), people))
    inactivity = (told("inactivity_policy", InactivitySet), told("inactivity_notice", InactivityNoticed))
    yield Invariant("identity", "inactivity as told", each_of(*inactivity))
    yield Invariant("identity", "leavings as told", told("leaving", LeavingChanged))
    yield Invariant("identity", "tree", by_sql("identity", "department", "department", TREE))
