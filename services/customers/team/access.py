"""Who sees a customer besides those in whose scope it is: the predicate of a collaborator's rights, in its one place.

Rights end in it, at the moment of `until` by the business clock, with nobody's help; they rest while the account is not active.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, any_, func, literal, or_, select

from services.contracts.team import Right
from services.customers.team.models import Collaborator
from services.directory.models import Person

LIVE = and_(
    or_(Collaborator.until.is_(None), Collaborator.until > func.clock()),
    Person.status == "active",
    Person.agency_id == Collaborator.agency_id,
)
"""Of a collaborator with the person joined."""


def shared_with(caller: Any, right: Right) -> Select[Any]:
    """The ids of the customers on which the caller has a right as a collaborator."""
    ids = select(Collaborator.customer_id).join(Person, Person.id == Collaborator.person_id)
    return ids.where(Collaborator.person_id == caller.user_id, literal(right) == any_(Collaborator.rights), LIVE)


def is_shared_with(caller: Any, right: Right, customer_id: Any) -> ColumnElement[bool]:
    """Whether a customer is among them, by its key: for statements about one customer."""
    return shared_with(caller, right).where(Collaborator.customer_id == customer_id).exists()
