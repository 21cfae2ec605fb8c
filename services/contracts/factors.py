"""The second factor: codes that change every 30 seconds (TOTP, RFC 6238), and recovery codes for when they are lost."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from services.contracts.base import Command, Digest, Nothing, Password, Sensitive, View, command, query
from services.contracts.identity import TypedCode

RECOVERY_CODES = 10
SharedSecret = Annotated[str, StringConstraints(pattern=r"^[A-Z2-7]{32}$"), Sensitive()]


class FactorView(View):
    is_on: bool = Field(description="Asked for at log-ins.")
    confirmed_at: datetime | None = None
    recovery_codes_left: int = 0


class ProvePassword(Command):
    """`current` is the caller's password."""

    current: Password


class EnrolFactor(ProvePassword):
    """Begins; nothing is asked for before a code has confirmed it. Again, with another secret, as long as none has.

    The secret is derived by the gateway from the command's key, 160 bits in base32.
    """

    secret: SharedSecret


class ProveFactor(Command):
    code: TypedCode


class ConfirmFactor(ProveFactor):
    """From now on log-ins need a code. The gateway has made the recovery codes; identity keeps the SHA-256 of each, in hex."""

    code_digests: Annotated[tuple[Digest, ...], Field(min_length=RECOVERY_CODES, max_length=RECOVERY_CODES), Sensitive()]


class DisableFactor(ProvePassword):
    """Takes both: the password, and a code or a recovery code."""

    code: TypedCode


class ResetFactor(Command):
    """For somebody who has lost his second factor, and the recovery codes; never oneself. Ends all of the user's sessions."""

    user_id: UUID


SHOW_FACTOR = query("identity.show_factor", Nothing, FactorView, "factor:manage")
ENROL_FACTOR = command("identity.enrol_factor", EnrolFactor, FactorView, "factor:manage")
CONFIRM_FACTOR = command("identity.confirm_factor", ConfirmFactor, FactorView, "factor:manage")
DISABLE_FACTOR = command("identity.disable_factor", DisableFactor, FactorView, "factor:manage")
RESET_FACTOR = command("identity.reset_factor", ResetFactor, Nothing, "factor:reset")
