"""Who may do what on the broker, as definitions that RabbitMQ loads when it starts.

Every service has a user of its own, which makes its own reply queues and nothing else; what stands on the broker is declared by
the deployer (`python -m services.plumbing.topology`). There is no guest: RabbitMQ makes none where it has definitions to load.
"""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.keys import SERVICES
from services.contracts.subscriptions import SUBSCRIPTIONS, producers_for
from services.plumbing.topology import RPC_EXCHANGE, event_exchange, event_queue

VHOST = "qudao"
GATEWAY = "gateway"
DEPLOYER = "deployer"

# Which services a service sends requests to, besides those whose events it hears: it asks these for lost ones.
ASKS: dict[str, tuple[str, ...]] = {
    "identity": ("identity",),
    "customers": ("customers", "identity", "rules"),
    "activities": ("activities", "customers", "identity"),
    "rules": ("activities", "customers", "identity", "rules"),
}

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NOTHING, ANYTHING = "^$", ".*"


@dataclass(frozen=True)
class Rights:
    """Patterns of the names that a user may make, write to and read from; `routes` narrows what it publishes on nameko-rpc.

    Everybody binds a reply queue to nameko-rpc. That its key must be a UUID keeps a user from binding it to `identity.*`, which
    would bring him a copy of every request.
    """

    configure: str
    write: str
    read: str
    routes: str | None = None


def rights_of(user: str) -> Rights:
    """Raises KeyError for a user that does not exist."""
    if user == DEPLOYER:
        return Rights(ANYTHING, ANYTHING, ANYTHING)
    replies = rf"rpc\.reply-{user}-.+"
    if user == GATEWAY:
        both = any_of(replies, RPC_EXCHANGE)
        return Rights(configure=any_of(replies), write=both, read=both, routes=any_of(requests_to(*SERVICES)))
    if user not in SERVICES:
        raise KeyError(user)
    own_queues = [f"rpc-{user}", *([event_queue(user)] if user in SUBSCRIPTIONS else [])]
    asked = sorted({*ASKS.get(user, ()), *producers_for(user)})
    return Rights(
        configure=any_of(replies),
        write=any_of(replies, RPC_EXCHANGE, event_exchange(user).replace(".", r"\.")),
        read=any_of(replies, RPC_EXCHANGE, *own_queues),
        routes=any_of(UUID, *([requests_to(*asked)] if asked else [])),
    )


def any_of(*patterns: str) -> str:
    return f"^({'|'.join(patterns)})$"


def requests_to(*services: str) -> str:
    return rf"({'|'.join(services)})\.[a-z_]+"


def definitions(passwords: Mapping[str, str]) -> dict[str, Any]:
    """RabbitMQ's file, for these users and their passwords."""
    rights = {user: rights_of(user) for user in passwords}
    return {
        "vhosts": [{"name": VHOST}],
        "users": [account(user, password) for user, password in passwords.items()],
        "permissions": [
            {"user": user, "vhost": VHOST, "configure": may.configure, "write": may.write, "read": may.read}
            for user, may in rights.items()
        ],
        "topic_permissions": [
            {"user": user, "vhost": VHOST, "exchange": RPC_EXCHANGE, "write": may.routes, "read": any_of(UUID)}
            for user, may in rights.items()
            if may.routes
        ],
    }


def account(user: str, password: str) -> dict[str, Any]:
    """No tags: nobody needs RabbitMQ's management."""
    algorithm = "rabbit_password_hashing_sha256"
    return {"name": user, "password_hash": password_hash(password), "hashing_algorithm": algorithm, "tags": []}


def password_hash(password: str) -> str:
    """Salt and SHA-256 of both, as RabbitMQ keeps it. Enough for our passwords, which nobody can guess."""
    salt = secrets.token_bytes(4)
    return b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
