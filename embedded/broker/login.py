"""Who may connect: one user, by PLAIN or AMQPLAIN."""

import hmac
import struct
from dataclasses import dataclass

from pamqp import decode

MECHANISMS = "PLAIN AMQPLAIN"


@dataclass(frozen=True, slots=True)
class Credentials:
    user: str
    password: str

    def admits(self, mechanism: str, response: str | bytes) -> bool:
        """Takes as long for a nearly right password as for any other."""
        answer = response if isinstance(response, bytes) else response.encode()
        try:
            user, password = _READERS[mechanism](answer)
        except (KeyError, ValueError, TypeError, LookupError, RecursionError, struct.error):
            return False
        right_user = hmac.compare_digest(user, self.user.encode())
        right_password = hmac.compare_digest(password, self.password.encode())
        return right_user and right_password


def _read_plain(answer: bytes) -> tuple[bytes, bytes]:
    _, user, password = answer.split(b"\x00")
    return user, password


def _read_amqplain(answer: bytes) -> tuple[bytes, bytes]:
    _, table = decode.field_table(struct.pack(">I", len(answer)) + answer)
    return _bytes(table["LOGIN"]), _bytes(table["PASSWORD"])


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise TypeError("a text is expected")


_READERS = {"PLAIN": _read_plain, "AMQPLAIN": _read_amqplain}
