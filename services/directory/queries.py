"""SQL of the directory."""

from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Session

from services.contracts.base import Envelope, Event
from services.contracts.groups import GroupChanged
from services.contracts.identity import PersonState, UserAdded
from services.contracts.tree import AgencyAdded, AgencyView, DepartmentAdded, DepartmentView
from services.directory.models import Agency, Department, Person, SalesGroup


def put(session: Session, table: type[DeclarativeBase], **values: Any) -> None:
    """Takes over a state unless a newer one is known."""
    row = insert(table).values(**values)
    newer = {name: row.excluded[name] for name in values if name != "id"}
    older = table.__table__.c.version < row.excluded.version
    session.execute(row.on_conflict_do_update(index_elements=["id"], set_=newer, where=older))


def take_over(session: Session, event: Event, envelope: Envelope) -> None:
    """What an event of identity says of an agency, a department, a sales group or a person."""
    match event:
        case AgencyAdded():
            put_agency(session, event.agency_id, event, envelope.version)
        case DepartmentAdded():
            put_department(session, event.department_id, event, envelope.version)
        case GroupChanged():
            members = [] if event.is_dissolved else event.member_ids
            put(session, SalesGroup, id=event.group_id, version=envelope.version, agency_id=event.agency_id, member_ids=members)
        case UserAdded():
            put_person(session, event, envelope.version)


def put_agency(session: Session, agency_id: UUID, state: AgencyAdded | AgencyView, version: int) -> None:
    kept = {"name": state.name, "is_headquarters": state.is_headquarters, "is_frozen": state.is_frozen}
    put(session, Agency, id=agency_id, version=version, **kept)


LOCK_TREE = text("SELECT pg_advisory_xact_lock(hashtextextended('tree ' || :agency_id, 0))")
# What stands above a department is in its parent's row, and only there: so events of different departments may come in any
# order. Two that have changed places may stand below each other until the second event has come.
FOLLOW_PARENTS = text(
    """
    WITH RECURSIVE placed AS (
        SELECT own.id, CASE WHEN own.id = ANY (parent.ancestors) THEN ARRAY[parent.id, own.id]
                            WHEN parent.id IS NOT NULL THEN parent.ancestors || own.id ELSE own.ancestors END AS ancestors
        FROM department AS own LEFT JOIN department AS parent ON parent.id = own.parent_id WHERE own.id = :department_id
        UNION ALL
        SELECT child.id, placed.ancestors || child.id FROM placed JOIN department AS child ON child.parent_id = placed.id
        WHERE child.id <> ALL (placed.ancestors)
    )
    UPDATE department SET ancestors = placed.ancestors FROM placed
    WHERE department.id = placed.id AND department.ancestors <> placed.ancestors
    """
)


def put_department(session: Session, department_id: UUID, state: DepartmentAdded | DepartmentView, version: int) -> None:
    """With all below it, which goes where it goes. One at a time in an agency."""
    session.execute(LOCK_TREE, {"agency_id": str(state.agency_id)})
    put(
        session,
        Department,
        id=department_id,
        agency_id=state.agency_id,
        name=state.name,
        ancestors=[UUID(part) for part in state.path.split(".")],
        status=state.status,
        merged_into_id=state.merged_into_id,
        version=version,
    )
    session.execute(FOLLOW_PARENTS, {"department_id": department_id})


def put_person(session: Session, state: UserAdded | PersonState, version: int) -> None:
    put(
        session,
        Person,
        id=state.user_id,
        agency_id=state.agency_id,
        department_id=state.department_id,
        other_department_ids=list(state.other_department_ids),
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


def find_department(session: Session, department_id: UUID) -> Department | None:
    return session.get(Department, department_id)


def find_agency(session: Session, agency_id: UUID) -> Agency | None:
    return session.get(Agency, agency_id)


def names_of_administrators(session: Session, agency_id: UUID, most: int = 3) -> list[str]:
    """The active people of an agency who may be asked about its pools, by name."""
    has_it = (Person.agency_id == agency_id, Person.status == "active", Person.abilities.contains(["administers"]))
    query = select(Person.display_name).where(*has_it)
    return list(session.scalars(query.order_by(Person.display_name).limit(most)))
