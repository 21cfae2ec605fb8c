"""Who has been away for long, and who must stay for the system to have an administrator."""

from datetime import datetime

from sqlalchemy.orm import Session as DatabaseSession

from services.identity import domain, queries
from services.identity.inactivity_queries import rule_of
from services.identity.models import Person
from services.plumbing.service import Service
from services.plumbing.work import Work


class AsksWhoIsAway(Service):
    """A part that has to know who has been away for too long."""

    @property
    def inactive_days(self) -> int:
        """As long as headquarters has set no other number."""
        days: int = self.plumbing.settings.inactive_days
        return days


def is_overdue(session: DatabaseSession, person: Person, now: datetime, default_days: int) -> bool:
    """Whether an active person has been inactive for as many days as his agency allows, and is not the last administrator.

    Administrators who are all inactive are all the last one: the first who comes back lets the others be locked.
    """
    limit = domain.inactivity_limit(now, rule_of(session, person.agency_id, default_days).days)
    if person.status != "active" or since_of(person) >= limit:
        return False
    return domain.ADMINISTRATOR not in person.roles or queries.count_other_administrators(session, person.id, limit) > 0


def check_administrator_remains(work: Work, person: Person, default_days: int) -> None:
    """Before a person stops being an administrator who can log in. Raises LastAdministrator; one at a time asks."""
    if domain.ADMINISTRATOR in person.roles and person.status == "active":
        queries.lock_administrators(work.session)
        limit = domain.inactivity_limit(work.now, rule_of(work.session, person.agency_id, default_days).days)
        domain.check_administrator_remains(others=queries.count_other_administrators(work.session, person.id, limit))


def since_of(person: Person) -> datetime:
    return domain.active_since(created_at=person.created_at, last_login_at=person.last_login_at, restored_at=person.restored_at)
