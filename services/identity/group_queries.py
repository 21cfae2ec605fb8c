"""SQL of sales groups."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.groups import ListGroups
from services.identity.models import GroupAdmin, Person, SalesGroup


def has_group(session: Session, group_id: UUID) -> bool:
    """In any agency: it looks through the wall, see the migrations."""
    return bool(session.scalar(select(func.has_group(group_id))))


def find_group(session: Session, group_id: UUID) -> SalesGroup | None:
    return session.get(SalesGroup, group_id)


def lock_group(session: Session, group_id: UUID) -> SalesGroup | None:
    return session.scalars(select(SalesGroup).where(SalesGroup.id == group_id).with_for_update()).one_or_none()


def list_groups(
    session: Session, visible: ColumnElement[bool], wanted: ListGroups, after: UUID | None, limit: int
) -> Sequence[SalesGroup]:
    query = select(SalesGroup).where(visible).order_by(SalesGroup.id).limit(limit)
    if not wanted.dissolved:
        query = query.where(~SalesGroup.is_dissolved)
    if wanted.agency_id:
        query = query.where(SalesGroup.agency_id == wanted.agency_id)
    if wanted.person_id:
        administered = select(GroupAdmin.group_id).where(GroupAdmin.person_id == wanted.person_id)
        query = query.where(or_(SalesGroup.member_ids.contains([wanted.person_id]), SalesGroup.id.in_(administered)))
    return session.scalars(query.where(SalesGroup.id > after) if after else query).all()


def lock_groups_of(session: Session, person_id: UUID) -> Sequence[SalesGroup]:
    """In which somebody is a member or an admin."""
    administered = select(GroupAdmin.group_id).where(GroupAdmin.person_id == person_id)
    is_in = or_(SalesGroup.member_ids.contains([person_id]), SalesGroup.id.in_(administered))
    query = select(SalesGroup).where(is_in, ~SalesGroup.is_dissolved).order_by(SalesGroup.id)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()


def find_admin(session: Session, group_id: UUID, person_id: UUID) -> GroupAdmin | None:
    return session.get(GroupAdmin, (group_id, person_id), populate_existing=True)


def list_admins(session: Session, group_id: UUID) -> Sequence[GroupAdmin]:
    query = select(GroupAdmin).where(GroupAdmin.group_id == group_id).order_by(GroupAdmin.person_id)
    return session.scalars(query, execution_options={"populate_existing": True}).all()


def count_admins(session: Session, group_id: UUID) -> int:
    return session.scalar(select(func.count()).select_from(GroupAdmin).where(GroupAdmin.group_id == group_id)) or 0


def put_admin(session: Session, group: SalesGroup, person_id: UUID, rights: list[str]) -> None:
    row = insert(GroupAdmin).values(group_id=group.id, person_id=person_id, agency_id=group.agency_id, rights=rights)
    session.execute(row.on_conflict_do_update(index_elements=["group_id", "person_id"], set_={"rights": rights}))


def names_of(session: Session, people: Sequence[UUID]) -> dict[UUID, str]:
    rows = session.execute(select(Person.id, Person.display_name).where(Person.id.in_(people)))
    return dict(rows.all())
