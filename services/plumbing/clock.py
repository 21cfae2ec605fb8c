"""Business time: SQL `clock()` of the service's own database, which tests can set. UTC."""

from datetime import datetime

from sqlalchemy import DateTime, func
from sqlalchemy.orm import Session


def business_time(session: Session) -> datetime:
    return session.scalar(func.clock(type_=DateTime(timezone=True)))  # type: ignore[return-value]  # never NULL
