"""What a service starts from that has to know who belongs where."""

from uuid import UUID

from services.contracts.base import Envelope, Event
from services.contracts.errors import NotFound, OutOfScope
from services.contracts.identity import SHOW_PERSON, ShowPerson
from services.contracts.permissions import Scope
from services.contracts.subscriptions import OF_THE_DIRECTORY
from services.contracts.tree import FIND_AGENCY, FIND_DEPARTMENT, ShowAgency, ShowDepartment
from services.directory import queries
from services.directory.models import Department, Person
from services.plumbing.call import Call
from services.plumbing.events import handles
from services.plumbing.service import ListeningService
from services.plumbing.work import Work


class DirectoryService(ListeningService):
    @handles(*OF_THE_DIRECTORY)
    def follow_directory(self, event: Event, envelope: Envelope, work: Work) -> None:
        queries.take_over(work.session, event, envelope)


def known_person(call: Call, person_id: UUID) -> Person:
    """A person of the directory; identity is asked for one of whom it has not heard yet. Raises NotFound.

    Before a transaction only. Whether the caller may know of the person is for the caller of this function to check.
    """
    with call.reading() as session:
        if found := queries.find_person(session, person_id):
            return found
    state = call.ask_in_own_name(SHOW_PERSON, ShowPerson(user_id=person_id))
    with call.noting() as session:
        queries.put_person(session, state, state.version)
        if found := queries.find_person(session, person_id):
            return found
    raise NotFound()


def agency_within(call: Call, asked: UUID | None) -> UUID:
    """The agency that is meant, the caller's own when none is. Raises OutOfScope, or NotFound for one that is not there.

    Before a transaction only: identity is asked for one that was added a moment ago.
    """
    if asked is None or asked == call.caller.agency_id:
        return call.caller.agency_id
    if call.scope is not Scope.ALL:
        raise OutOfScope()
    with call.reading() as session:
        if queries.find_agency(session, asked):
            return asked
    state = call.ask_in_own_name(FIND_AGENCY, ShowAgency(agency_id=asked))
    with call.noting() as session:
        queries.put_agency(session, state.id, state, state.version)
    return asked


def known_department(call: Call, department_id: UUID) -> Department:
    """As `known_person`."""
    with call.reading() as session:
        if found := queries.find_department(session, department_id):
            return found
    state = call.ask_in_own_name(FIND_DEPARTMENT, ShowDepartment(department_id=department_id))
    with call.noting() as session:
        queries.put_department(session, state.id, state, state.version)
        if found := queries.find_department(session, department_id):
            return found
    raise NotFound()
