"""Who hears what: the one table from which queues are bound before anybody publishes, and against which services are checked."""

from services.contracts.activities import ContactNoteWritten, DeadlineClosed
from services.contracts.base import Event
from services.contracts.catalogue import CustomFieldSet, DictionaryEntrySet
from services.contracts.collision_rules import CollisionRulesSet
from services.contracts.customers import CustomerEntered, CustomerMoved, CustomerUpdated, EntryAttempted
from services.contracts.disputes import DisputeAnswered, DisputeDecided, DisputeOpened, DisputeWithdrawn
from services.contracts.fields import FieldPolicySet, FieldRevealed
from services.contracts.grants import GrantChanged
from services.contracts.groups import GroupChanged
from services.contracts.identity import UserAdded, UserChanged
from services.contracts.inactivity import InactivityNoticed, InactivitySet
from services.contracts.leaving import CustomersHandedOver, HandoverReported, HolderAway, LeavingChanged
from services.contracts.members import MemberArrived, MemberSourceSet, TerritorySet
from services.contracts.pools import PoolChanged
from services.contracts.reviews import ReviewDecided, ReviewOpened
from services.contracts.roles import RoleChanged
from services.contracts.rules import AllowanceSet, FollowUpSet, StockLimitSet
from services.contracts.team import CollaboratorsChanged, HandoffChanged
from services.contracts.tree import AgencyAdded, AgencyChanged, DepartmentAdded, DepartmentChanged

OF_THE_DIRECTORY: tuple[type[Event], ...] = (
    AgencyAdded,
    AgencyChanged,
    DepartmentAdded,
    DepartmentChanged,
    GroupChanged,
    UserAdded,
    UserChanged,
)
"""What every service hears that has to know who belongs where."""

SUBSCRIPTIONS: dict[str, tuple[type[Event], ...]] = {
    "identity": (HandoverReported,),
    "customers": (*OF_THE_DIRECTORY, LeavingChanged, AllowanceSet),
    "activities": (
        *OF_THE_DIRECTORY,
        RoleChanged,
        GrantChanged,
        InactivitySet,
        InactivityNoticed,
        LeavingChanged,
        HandoverReported,
        CustomersHandedOver,
        HolderAway,
        CustomerEntered,
        CustomerUpdated,
        CustomerMoved,
        EntryAttempted,
        CollisionRulesSet,
        FieldPolicySet,
        FieldRevealed,
        DictionaryEntrySet,
        CustomFieldSet,
        ReviewOpened,
        ReviewDecided,
        CollaboratorsChanged,
        HandoffChanged,
        DisputeOpened,
        DisputeAnswered,
        DisputeDecided,
        DisputeWithdrawn,
        PoolChanged,
        MemberArrived,
        MemberSourceSet,
        TerritorySet,
        ContactNoteWritten,
        DeadlineClosed,
        AllowanceSet,
        StockLimitSet,
        FollowUpSet,
    ),
    "rules": (*OF_THE_DIRECTORY, CustomerEntered, CustomerUpdated, CustomerMoved, ContactNoteWritten, DeadlineClosed),
}


def producers_for(consumer: str) -> set[str]:
    """The services to whose events a consumer listens."""
    return {event.event_source for event in SUBSCRIPTIONS.get(consumer, ())}
