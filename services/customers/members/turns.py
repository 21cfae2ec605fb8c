"""Whose turn it is: agencies of one place, and reps of one agency.

A turn is a row that is locked before it is read, so that two members who arrive at once are two turns. Rows are locked in the
order place, agency, stock, after those of customers; nobody who holds a stock waits for a turn.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.customers.members import domain
from services.customers.members.models import PersonTurn, PlaceTurn, Territory, TerritoryPlace
from services.customers.models import Stock
from services.directory.models import Agency, Person

FROZEN = select(Agency.id).where(Agency.is_frozen)


def next_agency(session: Session, codes: Sequence[str]) -> UUID | None:
    """Of those that have the narrowest of these places, whoever's turn it is; None when nobody has any. A frozen one has none."""
    has_place = (TerritoryPlace.place.in_(codes), TerritoryPlace.agency_id.not_in(FROZEN))
    rows = session.execute(select(TerritoryPlace.place, TerritoryPlace.agency_id).where(*has_place)).all()
    place = next((code for code in codes if any(code == row.place for row in rows)), None)
    if place is None:
        return None
    session.execute(insert(PlaceTurn).values(place=place).on_conflict_do_nothing())
    turn = session.scalars(select(PlaceTurn).where(PlaceTurn.place == place).with_for_update()).one()
    turn.last_id, *_ = domain.in_turn([row.agency_id for row in rows if row.place == place], turn.last_id)
    return turn.last_id


def next_person(session: Session, agency_id: UUID) -> Person | None:
    """An active rep who may receive one more, and whose stock is locked then; None when there is none."""
    session.execute(insert(PersonTurn).values(agency_id=agency_id).on_conflict_do_nothing())
    turn = session.scalars(select(PersonTurn).where(PersonTurn.agency_id == agency_id).with_for_update()).one()
    waiting = {person.id: person for person in list_waiting(session, agency_id)}
    for person_id in domain.in_turn(waiting, turn.last_id):
        if has_room(session, person_id):
            turn.last_id = person_id
            return waiting[person_id]
    return None


def list_waiting(session: Session, agency_id: UUID) -> Sequence[Person]:
    """Who has no room, or of whom it is not known yet how many he may hold, is passed over."""
    query = select(Person).join(Stock, Stock.person_id == Person.id).where(Stock.held < Stock.allowed)
    query = query.where(Person.agency_id == agency_id, Person.status == "active", Person.abilities.contains(["sells"]))
    query = query.where(Person.agency_id.not_in(FROZEN))
    setting = session.get(Territory, agency_id)
    if setting and setting.assignees is not None:
        query = query.where(Person.id.in_(setting.assignees))
    return session.scalars(query).all()


ROOM = text("SELECT true FROM stock WHERE person_id = :person_id AND held < allowed AND NOT is_closed FOR UPDATE")


def has_room(session: Session, person_id: UUID) -> bool:
    """Whether he still may receive one now that his stock is locked. One that has filled up meanwhile is let go again: whoever
    keeps several must have locked them in the order of their ids."""
    with session.connection().begin_nested() as looked:
        if session.scalar(ROOM, {"person_id": person_id}):
            return True
        looked.rollback()
    return False
