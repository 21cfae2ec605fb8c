"""Passports that somebody made himself, published straight to the broker."""

import base64
import dataclasses
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.contracts.base import EventsAfter, events_after
from services.contracts.customers import ENTER_CUSTOMER, EnterCustomer
from services.contracts.errors import NotAuthenticated, PermissionDenied
from services.contracts.permissions import SYSTEM, Scope
from services.plumbing.passport import AUDIENCE, LIFETIME, Caller, Signer
from tests.faults.world import World, eventually, unique


def claims_of(world: World) -> dict[str, Any]:
    return jwt.decode(world.passport(), options={"verify_signature": False})


def signed(world: World, issuer: str, **changes: Any) -> str:
    """The person's claims with some changed, under identity's name and signed by the issuer's key."""
    claims = {name: value for name, value in (claims_of(world) | changes).items() if value is not None}
    return jwt.encode(claims, world.signer(issuer).key, algorithm="EdDSA", headers={"kid": "identity"})


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def unsigned(world: World, algorithm: str) -> str:
    return f"{part({'alg': algorithm, 'kid': 'identity'})}.{part(claims_of(world))}."


def by_public_key(world: World) -> str:
    """An old trick: the public key, which everybody has, as the secret of an HMAC."""
    secret = (world.stack.secrets / "trusted" / "identity.pem").read_bytes()
    text = f"{part({'alg': 'HS256', 'kid': 'identity'})}.{part(claims_of(world))}"
    return f"{text}.{base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), hashlib.sha256)).decode().rstrip('=')}"


def with_own_grants(world: World) -> str:
    """A true passport whose claims were widened behind its signature."""
    head, _, signature = world.passport().split(".")
    return f"{head}.{part(claims_of(world) | {'grants': {'customer:create': 'all'}})}.{signature}"


def by_a_stranger(world: World) -> str:
    key = Ed25519PrivateKey.generate()
    return jwt.encode(claims_of(world), key, algorithm="EdDSA", headers={"kid": "identity"})


FORGERIES: dict[str, Callable[[World], str]] = {
    "none at all": lambda world: "",
    "no token": lambda world: "let me in",
    "not signed": lambda world: unsigned(world, "EdDSA"),
    "signed by nobody": lambda world: unsigned(world, "none"),
    "signed by a stranger": by_a_stranger,
    "signed with the public key": by_public_key,
    "changed after it was signed": with_own_grants,
    "a user's, signed by customers in identity's name": lambda world: signed(world, "customers"),
    "a user's, signed by customers in its own name": lambda world: world.signer("customers").sign(world.person),
    "a user's, signed by the gateway": lambda world: world.signer("gateway").sign(world.person),
    "expired": lambda world: world.signer("identity").sign(world.person, now=time.time() - LIFETIME - 5),
    "not yet valid": lambda world: world.signer("identity").sign(world.person, now=time.time() + 60),
    "for another audience": lambda world: signed(world, "identity", aud="somebody-else"),
    "for no audience": lambda world: signed(world, "identity", aud=None),
    "without an end": lambda world: signed(world, "identity", exp=None),
    "that lives for a year": lambda world: signed(world, "identity", exp=time.time() + 365 * 86400),
    "of another issuer": lambda world: signed(world, "identity", iss="customers"),
    "of an unknown key": lambda world: jwt.encode(
        claims_of(world), world.signer("identity").key, algorithm="EdDSA", headers={"kid": "../identity"}
    ),
    "of no user": lambda world: signed(world, "identity", sub="administrator"),
    "with a scope that there is not": lambda world: signed(world, "identity", grants={"customer:create": "galaxy"}),
    "with grants that are no table": lambda world: signed(world, "identity", grants=["customer:create"]),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_passport_is_refused(world: World, forge: Callable[[World], str]) -> None:
    name = unique("forged")

    with pytest.raises(NotAuthenticated):
        world.enter(name, passport=forge(world))

    assert world.customers(name) == 0


def test_a_request_without_headers_is_refused(world: World) -> None:
    body = json.dumps({"args": [{"position": 0}], "kwargs": {}})

    answer = world.ask_raw("customers.events_after", body, content_type="application/json")

    assert answer["error"]["exc_type"] == "NotAuthenticated"


@pytest.mark.parametrize(
    ("issuer", "subject"), [("customers", "system:rules"), ("identity", "system:rules"), ("gateway", "system:identity")]
)
def test_nobody_speaks_for_another_service(world: World, issuer: str, subject: str) -> None:
    passport = world.signer(issuer).sign(Caller(subject))

    with pytest.raises(NotAuthenticated):
        world.call(events_after("customers"), EventsAfter(position=0), passport=passport)


def test_a_service_gives_itself_no_grants(world: World) -> None:
    greedy = Caller("system:rules", grants={"customer:create": Scope.ALL})
    name = unique("greedy")

    with pytest.raises(PermissionDenied):
        world.enter(name, passport=world.signer("rules").sign(greedy))

    assert "customer:create" not in SYSTEM["rules"]
    assert world.customers(name) == 0


def test_a_user_without_the_permission_is_refused_and_that_is_audited(world: World) -> None:
    stranger = dataclasses.replace(world.new_person(), grants={"day:read": Scope.OWN})
    name, key = unique("denied"), uuid.uuid4().hex

    with pytest.raises(PermissionDenied):
        world.call(ENTER_CUSTOMER, EnterCustomer(name=name), caller=stranger, key=key)

    assert world.customers(name) == 0
    assert world.rows("customers", "SELECT actor, result FROM audit WHERE command_id = %s", key) == [(stranger.subject, "denied")]


def test_a_users_passport_opens_no_service_operation(world: World) -> None:
    """Services' own permissions are in no role, so identity never signs them for a user."""
    with pytest.raises(PermissionDenied):
        world.call(events_after("customers"), EventsAfter(position=0))


def test_a_passport_is_refused_when_its_time_is_over_though_it_was_seen_before(world: World) -> None:
    signer: Signer = world.signer("identity")
    nearly_over = signer.sign(world.person, now=time.time() - LIFETIME + 1)
    assert jwt.decode(nearly_over, options={"verify_signature": False})["aud"] == AUDIENCE
    world.enter(unique("in time"), passport=nearly_over)

    def is_refused() -> bool:
        try:
            world.enter(unique("late"), passport=nearly_over)
        except NotAuthenticated:
            return True
        return False

    eventually(is_refused)
