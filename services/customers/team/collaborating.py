"""Adding colleagues to a customer and removing them: who holds it does, or who oversees him; nobody for himself."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.contracts.errors import AlreadyTheirs, NotHeld, OutOfScope, OwnRights
from services.contracts.permissions import Scope
from services.contracts.team import PutCollaborator, RemoveCollaborator
from services.customers.models import Customer
from services.customers.registry import queries
from services.customers.team import domain, members
from services.directory.models import Person
from services.plumbing.call import Call
from services.plumbing.work import Work


def put(work: Work, call: Call, command: PutCollaborator) -> Customer:
    customer = lock_held(work.session, call, command.customer_id)
    person = another(work.session, call, command.person_id, customer)
    domain.check_collaborator(status=person.status, agency_id=person.agency_id, of_agency_id=customer.agency_id)
    domain.check_end(command.until, work.now)
    given = {"part": command.part, "rights": list(command.rights), "until": command.until, "given_by": call.user_id}
    members.put(work, customer, person.id, **given)
    return customer


def remove(work: Work, call: Call, command: RemoveCollaborator) -> Customer:
    customer = lock_held(work.session, call, command.customer_id)
    members.remove(work, customer, command.person_id)
    return customer


def lock_held(session: Session, call: Call, customer_id: UUID) -> Customer:
    """A customer that the caller holds, or whose holder he oversees. Raises NotFound, OutOfScope, NotHeld."""
    customer = queries.lock_customer(session, customer_id, call.scope, call.caller)
    if customer.owner_id is None:
        raise NotHeld()
    return customer


def another(session: Session, call: Call, person_id: UUID, customer: Customer) -> Person:
    """Somebody of whom the caller may know, and neither he nor the holder. Raises OutOfScope, AlreadyTheirs, OwnRights."""
    person = session.get_one(Person, person_id)
    if person.agency_id != call.caller.agency_id and call.scope is not Scope.ALL:
        raise OutOfScope()
    if person.id == customer.owner_id:
        raise AlreadyTheirs()
    if person.id == call.user_id:
        raise OwnRights()
    return person
