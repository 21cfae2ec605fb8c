"""Devices on which somebody has logged in, known by a token that they keep. It opens nothing: failures on such a device are
counted apart, so that strangers who fail elsewhere do not keep its owner out (OWASP calls it a device cookie).
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.identity import OpenSession
from services.identity import queries
from services.identity.models import KnownDevice, Person
from services.plumbing.settings import ServiceSettings
from services.plumbing.work import Work


def find_known(session: DatabaseSession, command: OpenSession, person: Person | None, now: datetime) -> KnownDevice | None:
    """The device that was named, if it is one of his. It is looked for whoever he is, so that the time tells nothing."""
    device = queries.find_device(session, command.device_digest) if command.device_digest else None
    is_his = device and person and device.person_id == person.id and now < device.expires_at
    return device if is_his else None


def keep_device(work: Work, command: OpenSession, person: Person, settings: ServiceSettings) -> bool:
    """After a log-in of somebody whose row is locked; whether the device is new to us, and known by its new token from now on."""
    until = work.now + timedelta(days=settings.device_days)
    if known := find_known(work.session, command, person, work.now):
        known.used_at, known.expires_at = work.now, until
        return False
    if command.new_device_digest is None:
        return False  # of a gateway of before
    queries.drop_devices(work.session, person.id, but=settings.known_devices - 1)
    work.session.add(
        KnownDevice(
            token_digest=command.new_device_digest, person_id=person.id, known_at=work.now, used_at=work.now, expires_at=until
        )
    )
    return True
