"""Who is asking: a statement signed with Ed25519 that lives ten seconds and is verified in every service.

identity signs for users. Each service, and the gateway, signs for itself alone as `system:<name>`, and then holds no more
than `permissions.SYSTEM` gives that name. Headers on the broker can be forged, so nothing else says who calls.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from services.contracts.errors import NotAuthenticated, PermissionDenied
from services.contracts.permissions import SYSTEM, Permission, Scope
from services.contracts.reach import Grants, Reach
from services.plumbing.claims import read_grants, read_id, write_grants, write_id

LIFETIME = 10.0  # seconds
LEEWAY = 2.0  # seconds by which the clocks of two hosts may differ; one is not ready past 1 s
AUDIENCE = "qudao-services"
NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Caller:
    """Who asks and what he may: `subject` is a user's id or `system:<name>`."""

    subject: str
    agency_id: UUID = NOBODY
    department_id: UUID = NOBODY
    managed_department_ids: tuple[UUID, ...] = ()
    other_department_ids: tuple[UUID, ...] = ()
    session_id: UUID = NOBODY
    roles: tuple[str, ...] = ()
    grants: Grants = field(default_factory=dict)
    display_name: str = ""
    password_change_required: bool = False

    @property
    def user_id(self) -> UUID:
        """Raises PermissionDenied when a service asks for what only a person can."""
        if self.subject.startswith("system:"):
            raise PermissionDenied(subject=self.subject)
        return UUID(self.subject)

    @property
    def department_ids(self) -> tuple[UUID, ...]:
        """All in which he is, the home department first."""
        return (self.department_id, *self.other_department_ids)

    def may(self, permission: str) -> bool:
        return permission in self.grants

    def scope(self, permission: Permission) -> Reach:
        """On whose records it counts. Raises PermissionDenied without the permission."""
        try:
            return self.grants[permission]
        except KeyError:
            raise PermissionDenied(permission=permission) from None


class Signer:
    """Signs passports under one issuer's name."""

    def __init__(self, issuer: str, private_key_pem: str) -> None:
        self.issuer = issuer
        key = load_pem_private_key(private_key_pem.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("the signing key must be an Ed25519 private key")
        self.key: Ed25519PrivateKey = key
        self._own: tuple[float, str] = (0.0, "")

    def sign(self, caller: Caller, *, now: float | None = None) -> str:
        now = time.time() if now is None else now
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + LIFETIME,
            "sub": caller.subject,
            "agency": str(caller.agency_id),
            "department": str(caller.department_id),
            "others": [write_id(department_id) for department_id in caller.other_department_ids],
            "managed": [write_id(department_id) for department_id in caller.managed_department_ids],
            "session": str(caller.session_id),
            "roles": list(caller.roles),
            "grants": write_grants(caller.grants),
            "name": caller.display_name,
            "change": caller.password_change_required,
        }
        return jwt.encode(claims, self.key, algorithm="EdDSA", headers={"kid": self.issuer, "typ": "passport+jwt"})

    def own(self) -> str:
        """The issuer's own passport, `system:<issuer>`; signed anew when half of its life is over."""
        signed_at, token = self._own
        if time.time() - signed_at > LIFETIME / 2:
            token = self.sign(Caller(f"system:{self.issuer}"))
            self._own = (time.time(), token)
        return token


class Verifier:
    """Verifies passports against the public keys in a directory of `<issuer>.pem` files."""

    CACHED = 4096

    def __init__(self, keys_dir: Path) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {}
        for path in keys_dir.glob("*.pem"):
            key = load_pem_public_key(path.read_bytes())
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError(f"{path.name} is not an Ed25519 public key")
            self._keys[path.stem] = key
        if "identity" not in self._keys:
            raise ValueError("the directory of trusted keys has no identity.pem")
        self._verified: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def verify(self, token: str | None) -> Caller:
        """The caller. Raises NotAuthenticated when it is missing, forged, expired, or signed by one who may not say this."""
        if not isinstance(token, str):
            raise NotAuthenticated()
        if known := self._verified.get(token):
            expires_at, caller = known
            if time.time() < expires_at + LEEWAY:
                return caller
        expires_at, caller = self._read(token)
        self._verified[token] = (expires_at, caller)
        if len(self._verified) > self.CACHED:
            self._verified.popitem(last=False)
        return caller

    def _read(self, token: str) -> tuple[float, Caller]:
        try:
            issuer = jwt.get_unverified_header(token).get("kid", "")
            claims = jwt.decode(
                token,
                self._keys[issuer],
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
            if claims["exp"] - claims["iat"] > LIFETIME + 1:
                raise NotAuthenticated(reason="lives too long")
            return float(claims["exp"]), self._caller(issuer, claims)
        except (jwt.PyJWTError, AttributeError, KeyError, TypeError, ValueError):
            raise NotAuthenticated() from None

    @staticmethod
    def _caller(issuer: str, claims: dict) -> Caller:  # type: ignore[type-arg]
        subject = str(claims["sub"])
        if subject.startswith("system:"):
            if subject != f"system:{issuer}":
                raise NotAuthenticated(reason="speaks for another")
            return Caller(subject, grants={permission: Scope.ALL for permission in SYSTEM[issuer]})
        if issuer != "identity":
            raise NotAuthenticated(reason="only identity speaks for users")
        return Caller(
            subject=str(UUID(subject)),
            agency_id=UUID(claims["agency"]),
            department_id=UUID(claims["department"]),
            other_department_ids=tuple(read_id(department_id) for department_id in claims.get("others", ())),
            managed_department_ids=tuple(read_id(department_id) for department_id in claims.get("managed", ())),
            session_id=UUID(claims["session"]),
            roles=tuple(str(role) for role in claims.get("roles", ())),
            grants=read_grants(claims["grants"]),
            display_name=str(claims["name"]),
            password_change_required=bool(claims["change"]),
        )
