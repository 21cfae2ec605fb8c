"""SQL of the directory."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Session

from services.contracts.base import Envelope, Event
from services.contracts.identity import AgencyAdded, DepartmentAdded, PersonState, UserAdded
from services.directory.models import Agency, Department, Person


def put(session: Session, table: type[DeclarativeBase], **values: Any) -> None:
    """Takes over a state unless a newer one is known."""
    row = insert(table).values(**values)
    newer = {name: row.excluded[name] for name in values if name != "id"}
    older = table.__table__.c.version < row.excluded.version
    session.execute(row.on_conflict_do_update(index_elements=["id"], set_=newer, where=older))


def take_over(session: Session, event: Event, envelope: Envelope) -> None:
    """What an event of identity says of an agency, a department or a person."""
    match event:
        case AgencyAdded():
            kept = {"name": event.name, "is_headquarters": event.is_headquarters}
            put(session, Agency, id=event.agency_id, version=envelope.version, **kept)
        case DepartmentAdded():
            ancestors = [UUID(part) for part in event.path.split(".")]
            kept_too = {"agency_id": event.agency_id, "name": event.name, "ancestors": ancestors}
            put(session, Department, id=event.department_id, version=envelope.version, **kept_too)
        case UserAdded():
            put_person(session, event, envelope.version)


def put_person(session: Session, state: UserAdded | PersonState, version: int) -> None:
    put(
        session,
        Person,
        id=state.user_id,
        agency_id=state.agency_id,
        department_id=state.department_id,
        managed_department_ids=state.managed_department_ids,
        supervisor_id=state.supervisor_id,
        display_name=state.display_name,
        roles=state.roles,
        abilities=state.abilities,
        status=state.status,
        version=version,
    )


def find_person(session: Session, person_id: UUID) -> Person | None:
    return session.get(Person, person_id)


def find_agency(session: Session, agency_id: UUID) -> Agency | None:
    return session.get(Agency, agency_id)


def names_of_administrators(session: Session, agency_id: UUID, most: int = 3) -> list[str]:
    """The active people of an agency who may be asked about its pools, by name."""
    has_it = (Person.agency_id == agency_id, Person.status == "active", Person.abilities.contains(["administers"]))
    query = select(Person.display_name).where(*has_it)
    return list(session.scalars(query.order_by(Person.display_name).limit(most)))
