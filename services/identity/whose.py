"""Of whom somebody asks: of himself, or of a user whom he may see or administer."""

from uuid import UUID

from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.errors import OutOfScope
from services.contracts.permissions import Scope
from services.identity import queries
from services.identity.access import check_scope, found, found_person, lock_administered
from services.identity.models import Person
from services.plumbing.call import Call
from services.plumbing.work import Work


def whose(session: DatabaseSession, call: Call, user_id: UUID | None) -> UUID:
    """Raises NotFound or OutOfScope."""
    if user_id is None or user_id == call.user_id:
        return call.user_id
    if call.scope is Scope.OWN:
        raise OutOfScope()
    person = found_person(session, queries.find_person(session, user_id), user_id)
    check_scope(call, person.agency_id)
    return person.id


def lock_whose(work: Work, call: Call, user_id: UUID | None) -> Person:
    """His row, locked. Raises NotFound, OutOfScope or AboveYourRights."""
    if user_id is None or user_id == call.user_id:
        return found(queries.lock_person(work.session, call.user_id))
    if call.scope is Scope.OWN:
        raise OutOfScope()
    return lock_administered(work, call, user_id)
