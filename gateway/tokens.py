"""Secrets that the gateway makes and only their owner may know; the services see SHA-256 of them."""

import base64
import hashlib
import hmac
import secrets
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CROCKFORD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
CODE_LENGTH = 20  # 100 bits
GROUP = 5


def digest_of(secret: str) -> str:
    """All that leaves the gateway of a token or code: its SHA-256 in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_session_token() -> str:
    """256 random bits, 43 characters."""
    return secrets.token_urlsafe(32)


def new_device_token() -> str:
    """As `new_session_token`; it opens nothing."""
    return secrets.token_urlsafe(32)


API_TOKEN = "qdt_"
"""How a program's token begins, so that those who look for secrets in texts find it."""


class Derived:
    """Secrets derived from the gateway's key, the user and his command's id: a repeated request gets the same one, though nobody
    has kept it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = HKDF(SHA256(), 32, salt=None, info=b"qudao secrets of commands").derive(key.private_bytes_raw())

    def session_token(self, user_id: UUID, command_id: str) -> str:
        """As `new_session_token` looks."""
        return self._text("session", user_id, command_id)

    def api_token(self, user_id: UUID, command_id: str) -> str:
        return API_TOKEN + self._text("api token", user_id, command_id)

    def shared_secret(self, user_id: UUID, command_id: str) -> str:
        """160 bits in base32, as authenticators take it."""
        return base64.b32encode(self._seed("second factor", user_id, command_id)[:20]).decode()

    def recovery_codes(self, user_id: UUID, command_id: str, count: int) -> tuple[str, ...]:
        return tuple(crockford(self._seed(f"recovery code {number}", user_id, command_id)) for number in range(count))

    def _text(self, what: str, user_id: UUID, command_id: str) -> str:
        return base64.urlsafe_b64encode(self._seed(what, user_id, command_id)).decode().rstrip("=")

    def _seed(self, what: str, user_id: UUID, command_id: str) -> bytes:
        return hmac.digest(self._key, f"{what}\n{user_id}\n{command_id}".encode(), "sha256")


def crockford(seed: bytes) -> str:
    """Like `7ZP4Q-M2K8T-0WX5R-A9EHV`, of 100 bits."""
    letters = base64.b32encode(seed).decode().translate(CROCKFORD)[:CODE_LENGTH]
    return "-".join(letters[start : start + GROUP] for start in range(0, CODE_LENGTH, GROUP))


class OneTimeCodes:
    """Codes derived from the gateway's key, so that a repeated request gets the same one though nobody has kept it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = HKDF(SHA256(), 32, salt=None, info=b"qudao one-time codes").derive(key.private_bytes_raw())

    def code(self, inviter: UUID, command_id: str, invited: UUID) -> str:
        """Like `7ZP4Q-M2K8T-0WX5R-A9EHV`; it is to be typed as it stands."""
        seed = hmac.digest(self._key, f"{inviter}\n{invited}\n{command_id}".encode(), "sha256")
        return crockford(seed)


class SourceSecrets:
    """Secrets of the sources of web-registered members, derived from the gateway's key: both sides need such a secret itself, and
    so it stands nowhere. Each new version of a source's key is another secret."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = HKDF(SHA256(), 32, salt=None, info=b"qudao sources of members").derive(key.private_bytes_raw())

    def key(self, source_id: UUID, version: int) -> bytes:
        """By which its messages are signed."""
        return hmac.digest(self._key, f"{source_id}\n{version}".encode(), "sha256")

    def shown(self, source_id: UUID, version: int) -> str:
        """As Standard Webhooks writes it: `whsec_` and base64."""
        return f"whsec_{base64.b64encode(self.key(source_id, version)).decode()}"
