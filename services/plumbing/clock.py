"""Business time: SQL `clock()` of the service's own database, which tests can set. UTC."""

from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

NOW = text("SELECT clock()")


def business_time(session: Session | Connection) -> datetime:
    now: datetime = session.execute(NOW).scalar_one()
    return now
