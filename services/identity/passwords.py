"""Hashing passwords: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane), about 40 ms each."""

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

# Verified for an unknown login, so that it takes as long as a known one.
NOBODYS = HASHER.hash("nobody has this password")


def hash_password(password: str) -> str:
    return HASHER.hash(password)


def matches(password: str, known: str | None) -> bool:
    try:
        return HASHER.verify(known or NOBODYS, password) and known is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(known: str) -> bool:
    """Whether it was hashed with other parameters than today's."""
    return HASHER.check_needs_rehash(known)
