"""Two companies beside each other: what the check makes of one who is on file when the other is typed."""

from typing import Any
from uuid import UUID

from services.customers.collision import near_keys
from services.customers.collision.evidence import Known, Match, match
from services.customers.collision.nearness import is_within
from services.customers.collision.subject import Key, Pattern, Subject, subject_of


def customer(name: str, *aliases: str, **typed: Any) -> Known:
    """A customer as the database gives it back, met by every key that it has; somebody else's."""
    subject = subject_of([name, *aliases], **typed)
    return Known(
        id=UUID(int=1),
        name=name,
        names=subject.names,
        province=typed.get("province"),
        city=typed.get("city"),
        agency_id=UUID(int=2),
        agency_name="扬州代理",
        owner_id=UUID(int=3),
        owner_name="李四",
        pool_kind=None,
        matched=subject.keys,
    )


def meeting(subject: Subject, known: Known) -> Known:
    """As a look-up gives it back: with those of its keys only by which it was asked for."""
    wanted = {(key.kind, key.key) for key in subject.wanted}
    shared = frozenset(key for key in known.matched if (key.kind, key.key) in wanted)
    return Known(**{**vars(known), "matched": shared})


def weighed(subject: Subject, known: Known) -> Match:
    return match(subject, meeting(subject, known))


def is_met(subject: Subject, known: Known) -> bool:
    """Whether a look-up would find the customer: by a key, by a name that comes near, by a short form."""
    wanted = {(key.kind, key.key) for key in subject.wanted}
    if any((key.kind, key.key) in wanted for key in known.matched):
        return True
    if any(subject.near & near_keys.filed(name) for name in known.names):
        return True
    if any(fragment in name.normalised for fragment in subject.fragments for name in known.names):
        return True
    return any(_has(pattern, key) for pattern in subject.patterns for key in known.matched)


def _has(pattern: Pattern, key: Key) -> bool:
    return (
        key.kind == pattern.kind and key.key.startswith(pattern.start) and is_within(pattern.core, key.key[len(pattern.start) :])
    )
