"""The collision check by itself, before anything is entered: what each searched field finds, and what an entry would come to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from services.contracts.collision import (
    CheckCollision,
    CollisionCheck,
    CollisionSuggestions,
    FieldHits,
    Hit,
    SuggestCollisions,
    Verdict,
)
from services.contracts.errors import InvalidRequest
from services.customers.check import filing, matching
from services.customers.collision.evidence import Match, telling
from services.customers.collision.keys import fragment_of
from services.customers.collision.subject import Subject, subject_of
from services.customers.collision.verdict import Viewpoint, hit, judge, parts_of
from services.directory.queries import names_of_administrators
from services.plumbing.call import Call

FIELDS = ("name", "phone", "fax", "credit_code", "website", "email")
TYPED = (*FIELDS, "contact_person")
SUGGESTED = 10


def check(connection: Connection, query: CheckCollision, viewpoint: Viewpoint) -> CollisionCheck:
    """Raises InvalidRequest when nothing is searched for, or something that cannot be."""
    subject = subject_of_query(query, filing.versions.oldest(connection))
    found = matching.search(connection, subject, query.name)
    matches = {each.known.id: each for each in found.matches}
    is_more = len(matches) >= matching.MOST_MATCHES
    fields = {field: FieldHits(hits=count(matches, field), is_more=is_more) for field in FIELDS if getattr(query, field)}
    for listed in found.listed:
        met = matches.get(listed.known.id)
        matches[listed.known.id] = replace(met, evidence=(*met.evidence, *listed.evidence)) if met else listed
    if query.name:
        hits = max(found.hits, count(matches, "name"))
        fields["name"] = FieldHits(hits=min(hits, matching.COUNTED), is_more=hits > matching.COUNTED)
    verdict = judge(list(matches.values()), viewpoint)
    return CollisionCheck(
        fields=fields,
        hits=list(shown(list(matches.values()), viewpoint)),
        verdict=with_administrators(connection, verdict, viewpoint),
        name_parts=parts_of(subject.names[0]) if subject.names else None,
    )


def subject_of_query(query: CheckCollision, oldest: int) -> Subject:
    given = query.model_dump(include=set(TYPED), exclude_none=True)
    if not given.keys() - {"contact_person"}:
        raise InvalidRequest(errors=[{"in": "body", "pointer": "", "detail": f"give one of {', '.join(FIELDS)}"}])
    if query.name and len(fragment_of(query.name)) < matching.SHORTEST_FRAGMENT:
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/name", "detail": "give two characters at least"}])
    names = [query.name] if query.name else []
    given.pop("name", None)
    subject = subject_of(names, province=query.province, city=query.city, oldest=oldest, **given)
    read = {"phone": subject.phones, "fax": subject.faxes, "credit_code": subject.credit_codes}
    for field, found in read.items():
        if field in given and not found:
            raise InvalidRequest(errors=[{"in": "body", "pointer": f"/{field}", "detail": "cannot be read"}])
    return subject


def suggest(connection: Connection, query: SuggestCollisions, viewpoint: Viewpoint) -> CollisionSuggestions:
    """The check of what can be searched already."""
    searched = searched_already(query)
    if searched is None:
        return CollisionSuggestions(fields={}, hits=[])
    found = check(connection, searched, viewpoint)
    return CollisionSuggestions(fields=found.fields, hits=found.hits[:SUGGESTED], verdict=found.verdict)


def searched_already(query: SuggestCollisions) -> CheckCollision | None:
    """What the check would not refuse; None when that is nothing."""
    typed = query.model_dump(exclude_defaults=True)
    subject = subject_of([], **{field: text for field, text in typed.items() if field != "name"})
    readable = {
        "name": len(fragment_of(typed.get("name", ""))) >= matching.SHORTEST_FRAGMENT,
        "phone": subject.phones,
        "fax": subject.faxes,
        "credit_code": subject.credit_codes,
    }
    searched = {field: text for field, text in typed.items() if text and readable.get(field, True)}
    if not searched.keys() & readable.keys():
        return None
    return CheckCollision.model_construct(**searched)  # not judged anew: ⑪0 is a number, and shorter than they are


def count(matches: dict[UUID, Match], field: str) -> int:
    return sum(field in found.fields for found in matches.values())


def viewpoint_of(call: Call) -> Viewpoint:
    return Viewpoint(call.user_id, call.caller.agency_id, may_claim=call.caller.may("customer:claim"))


def with_administrators(session: Any, verdict: Verdict, viewpoint: Viewpoint) -> Verdict:
    """Whom to ask for what lies in the agency pool is who administers it."""
    if verdict.reason != "in_agency_pool":
        return verdict
    return verdict.model_copy(update={"ask": tuple(names_of_administrators(session, viewpoint.agency_id))})


def shown(matches: Sequence[Match], viewpoint: Viewpoint) -> tuple[Hit, ...]:
    """The most telling first."""
    return tuple(hit(found, viewpoint) for found in telling(matches)[: matching.SHOWN])
