"""Questions that somebody keeps under a name."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, or_, select
from sqlalchemy.orm import Session

from services.contracts import search as contract
from services.contracts.errors import InvalidRequest, NotFound, OutOfScope, VersionConflict
from services.customers.search.models import SavedView
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.work import Work

MOST = 100
"""Views of one person."""


def save(work: Work, call: Call, command: contract.SaveView) -> contract.SavedViewView:
    """Raises InvalidRequest for one too many, NameTaken by the table."""
    count = work.session.scalar(select(func.count()).where(SavedView.person_id == call.user_id)) or 0
    if count >= MOST:
        told = f"you keep {MOST} views, and that is the most"
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/name", "detail": told}])
    saved = SavedView(id=new_id(), agency_id=call.caller.agency_id, person_id=call.user_id, version=0)
    return write(work, call, saved, command)


def change(work: Work, call: Call, command: contract.ChangeView) -> contract.SavedViewView:
    """Raises NotFound, OutOfScope, VersionConflict, NameTaken by the table."""
    saved = lock_own(work.session, call, command.view_id)
    if saved.version != command.expected_version:
        raise VersionConflict(version=saved.version)
    return write(work, call, saved, command)


def write(work: Work, call: Call, saved: SavedView, fields: contract.SavedViewFields) -> contract.SavedViewView:
    kept = fields.filter.model_dump(mode="json", exclude_unset=True)
    saved.name, saved.is_shared = fields.name, fields.is_shared
    saved.filter = {"filter": kept, "sort": fields.sort}
    saved.version += 1
    work.session.add(saved)
    work.session.flush()
    told = view(saved, call.user_id)
    work.audit(saved.id, agency_id=saved.agency_id, new=told)
    return work.answer(told)


def forget(work: Work, call: Call, view_id: UUID) -> None:
    """Raises NotFound, OutOfScope."""
    saved = lock_own(work.session, call, view_id)
    work.session.execute(delete(SavedView).where(SavedView.id == saved.id))
    work.audit(saved.id, agency_id=saved.agency_id, old=view(saved, call.user_id))


def lock_own(session: Session, call: Call, view_id: UUID) -> SavedView:
    """Raises NotFound, or OutOfScope for another one's."""
    query = select(SavedView).where(SavedView.id == view_id, SavedView.person_id == call.user_id).with_for_update()
    found = session.scalars(query).one_or_none()
    if found is None:
        raise OutOfScope() if session.scalar(select(func.is_saved_view(view_id))) else NotFound()
    return found


def list_views(connection: Connection, call: Call, after: UUID | None, limit: int) -> Sequence[Any]:
    """In the order in which they were saved."""
    shared = (SavedView.agency_id == call.caller.agency_id) & SavedView.is_shared
    query = select(SavedView.__table__).where(or_(SavedView.person_id == call.user_id, shared))
    query = query.where(SavedView.id > after) if after else query
    return connection.execute(query.order_by(SavedView.id).limit(limit)).all()


def view(saved: Any, viewer: UUID) -> contract.SavedViewView:
    kept = contract.CustomerFilter.model_validate(saved.filter["filter"])
    return contract.SavedViewView(
        id=saved.id,
        name=saved.name,
        filter=kept,
        sort=saved.filter["sort"],
        is_shared=saved.is_shared,
        is_mine=saved.person_id == viewer,
        version=saved.version,
    )
