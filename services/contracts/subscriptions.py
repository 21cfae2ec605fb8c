"""Who hears what: the one table from which queues are bound before anybody publishes, and against which services are checked."""

from services.contracts.activities import ContactNoteWritten
from services.contracts.base import Event
from services.contracts.customers import CustomerEntered, CustomerUpdated
from services.contracts.identity import AgencyAdded, DepartmentAdded, UserAdded

SUBSCRIPTIONS: dict[str, tuple[type[Event], ...]] = {
    "activities": (AgencyAdded, DepartmentAdded, UserAdded, CustomerEntered, CustomerUpdated, ContactNoteWritten),
    "rules": (CustomerEntered, CustomerUpdated, ContactNoteWritten),
}


def producers_for(consumer: str) -> set[str]:
    """The services to whose events a consumer listens."""
    return {event.event_source for event in SUBSCRIPTIONS.get(consumer, ())}
