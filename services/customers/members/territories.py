"""Territories: which places are whose, and whose turn it can be within an agency."""

from uuid import UUID

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from services.contracts.errors import InvalidRequest, TerritoryIsGiven, VersionConflict
from services.contracts.members import NamedPlace, SetTerritory, TerritorySet, TerritoryView
from services.contracts.permissions import Scope
from services.customers.collision.divisions import tables, title_of
from services.customers.members import queries
from services.customers.members.models import Territory, TerritoryPlace
from services.plumbing.call import Call
from services.plumbing.work import Work


def show(session: Session, agency_id: UUID) -> TerritoryView:
    setting = queries.find_territory(session, agency_id)
    if setting is None:
        return TerritoryView(agency_id=agency_id, version=0, places=[], assignees=None, pooled="assign")
    places = [NamedPlace(code=code, name=title_of(code)) for code in queries.list_places(session, agency_id)]
    return TerritoryView.model_validate({**vars(setting), "places": places})


def put(work: Work, call: Call, command: SetTerritory) -> TerritoryView:
    """Raises VersionConflict; of two who set the first one at once the table lets one through. Raises InvalidRequest,
    TerritoryIsGiven."""
    setting = queries.find_territory(work.session, command.agency_id, is_locked=True)
    before = show(work.session, command.agency_id)
    if before.version != command.expected_version:
        raise VersionConflict(version=before.version)
    places = sorted(set(command.places))
    if call.scope is not Scope.ALL and places != [place.code for place in before.places]:
        raise TerritoryIsGiven()
    refuse_unknown(work.session, command)
    if setting is None:
        setting = Territory(agency_id=command.agency_id, version=0)
        work.session.add(setting)
    setting.version += 1
    setting.assignees = None if command.assignees is None else sorted(set(command.assignees))
    setting.pooled = command.pooled
    work.session.flush()
    replace_places(work.session, command.agency_id, places)
    told = TerritorySet(agency_id=command.agency_id, places=places, assignees=setting.assignees, pooled=command.pooled)
    work.emit(told, aggregate_id=command.agency_id, version=setting.version, agency_id=command.agency_id)
    work.audit(command.agency_id, agency_id=command.agency_id, old=before, new=told)
    return show(work.session, command.agency_id)


def replace_places(session: Session, agency_id: UUID, places: list[str]) -> None:
    session.execute(delete(TerritoryPlace).where(TerritoryPlace.agency_id == agency_id))
    if places:
        session.execute(insert(TerritoryPlace), [{"place": place, "agency_id": agency_id} for place in places])


def refuse_unknown(session: Session, command: SetTerritory) -> None:
    """Raises InvalidRequest for a code that is no division's, and for somebody who is no rep of the agency."""
    sellers = queries.list_sellers(session, command.agency_id) if command.assignees else set()
    wrong = [
        {"in": "body", "pointer": f"/places/{at}", "detail": "is the code of no province, city or county"}
        for at, code in enumerate(command.places)
        if code not in tables().titles
    ] + [
        {"in": "body", "pointer": f"/assignees/{at}", "detail": "is no rep of this agency"}
        for at, person_id in enumerate(command.assignees or ())
        if person_id not in sellers
    ]
    if wrong:
        raise InvalidRequest(errors=wrong)
