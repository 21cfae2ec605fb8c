"""Why somebody may or may not do something to one thing: a chain of reasons, and what would be needed.

What decides is asked, not told again: here the functions of `access` and `granting`, in customers the predicates of its requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.access import (
    EXPLAIN_ACCESS,
    JUDGE_ACCESS,
    AccessExplanation,
    ExplainAccess,
    JudgeAccess,
    Judgement,
    Reason,
)
from services.contracts.errors import AboveYourRights, NotFound, OwnAccount, PermissionDenied
from services.contracts.permissions import OF_RECORDS, Permission, Scope
from services.contracts.reach import Place, Reach, covers_now, words_of
from services.identity import domain, queries
from services.identity.access import (
    check_administered,
    check_scope,
    found,
    found_department,
    found_person,
    ids_of,
    place_of,
    reaches_agency,
)
from services.identity.rights import Source, rights_of, sources_of
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.passport import Caller
from services.plumbing.rpc import serves
from services.plumbing.service import Service

ADMINISTERING: frozenset[Permission] = frozenset({"user:disable", "user:invite", "user:reset", "user:restore", "user:update"})
NEVER_TO_ONESELF: frozenset[Permission] = frozenset({"user:disable", "user:reset"})


@dataclass(frozen=True)
class Subject:
    """Him about whom it is. `sources` are those of the right in question."""

    caller: Caller
    status: str
    is_frozen: bool
    sources: Sequence[Source]

    @property
    def is_let_in(self) -> bool:
        return self.status == "active" and not self.is_frozen

    def reaches(self, action: Permission) -> list[Reach]:
        return [source.grants[action] for source in self.sources]


class Explaining(Service):
    @serves(EXPLAIN_ACCESS)
    def explain_access(self, query: ExplainAccess, call: Call) -> AccessExplanation:
        with call.reading() as session:
            subject = subject_of(session, call, query)
        try:
            is_allowed, reasons, needed = self.judge(query, call, subject)
        except NotFound:
            is_allowed, reasons = False, [Reason(code="no_such_object", counts=False, text="There is no such object for you.")]
            needed = ["an object that you see yourself"]
        user_id = subject.caller.user_id
        answer = {"user_id": user_id, "action": query.action, "object": query.object}
        return AccessExplanation(**answer, is_allowed=is_allowed, reasons=reasons, needed=needed)

    def judge(self, query: ExplainAccess, call: Call, subject: Subject) -> tuple[bool, list[Reason], list[str]]:
        """Raises NotFound for an object that the caller does not see."""
        kind, _, id_ = query.object.partition(":")
        if kind in ("customer", "pool"):
            about = self.plumbing.signer.sign(subject.caller)
            asked = JudgeAccess(about=about, action=query.action, kind=kind, id=id_, reaches=subject.reaches(query.action))
            judged = call.ask(JUDGE_ACCESS, asked)
            rules: list[Reason] = []
        else:
            with call.reading() as session:
                judged, rules = judge_here(session, call, subject, query.action, kind, UUID(id_))
        chain = [account(subject), *granting_reasons(subject, query.action, judged.reached), *placing(subject, kind, judged)]
        is_allowed = subject.is_let_in and judged.is_allowed and not rules
        return is_allowed, [*chain, *rules], [] if is_allowed else needed_for(subject, query.action, judged, rules)


def subject_of(session: DatabaseSession, call: Call, query: ExplainAccess) -> Subject:
    """Raises NotFound, OutOfScope; PermissionDenied for who may ask about himself alone."""
    user_id = query.user or call.user_id
    row = queries.find_facts(session, user_id)
    if row is None:
        found_person(session, None, user_id)
    facts = found(row)
    if user_id != call.user_id:
        if call.scope is Scope.OWN:
            raise PermissionDenied(permission="access:explain")
        check_scope(call, facts.agency_id)
    caller = Caller(
        subject=str(user_id),
        agency_id=facts.agency_id,
        department_id=facts.department_id,
        managed_department_ids=tuple(facts.managed_department_ids),
        other_department_ids=tuple(facts.other_department_ids),
        roles=tuple(facts.roles),
        grants=rights_of(facts),
        display_name=facts.display_name,
    )
    is_frozen = found(queries.find_agency(session, facts.agency_id)).is_frozen
    return Subject(caller, facts.status, is_frozen, [source for source in sources_of(facts) if query.action in source.grants])


def judge_here(
    session: DatabaseSession, call: Call, subject: Subject, action: Permission, kind: str, id_: UUID
) -> tuple[Judgement, list[Reason]]:
    """About a user or a department. Raises NotFound, OutOfScope."""
    place = placed(session, call, kind, id_)
    now = business_time(session)

    def is_enough(reach: Reach) -> bool:
        if action in OF_RECORDS or reach is Scope.OWN:
            return covers_now(reach, subject.caller, place, now)
        return reaches_agency(reach, subject.caller, place.agency_id)

    may = subject.caller.may(action) and is_enough(subject.caller.scope(action))
    judged = Judgement(
        is_allowed=may,
        reached=[is_enough(reach) for reach in subject.reaches(action)],
        agency_id=place.agency_id,
        owner_id=place.person_id,
        department_ids=list(place.ancestors),
    )
    return judged, list(refusals(session, replace(call, caller=subject.caller), action, place)) if may else []


def placed(session: DatabaseSession, call: Call, kind: str, id_: UUID) -> Place:
    """Where the object stands."""
    if kind == "user":
        place = place_of(session, found_person(session, queries.find_person(session, id_), id_))
    else:
        department = found_department(session, id_)
        place = Place(department.agency_id, None, ids_of(department.path))
    if not reaches_agency(call.caller.grants.get("user:read", Scope.OWN), call.caller, place.agency_id):
        raise NotFound()
    return place


def refusals(session: DatabaseSession, call: Call, action: Permission, place: Place) -> list[Reason]:
    """What else forbids to administer a user; `call` is as if the subject asked."""
    if action not in ADMINISTERING or place.person_id is None:
        return []
    try:
        if action in NEVER_TO_ONESELF:
            domain.check_not_oneself(call.user_id, place.person_id)
        check_administered(session, call, place.person_id, place)
    except OwnAccount as refused:
        return [Reason(code="own_account", counts=False, text=refused.title)]
    except AboveYourRights as refused:
        return [Reason(code="above_your_rights", counts=False, text=refused.title, details=refused.details)]
    return []


# --- in words


def account(subject: Subject) -> Reason:
    if subject.is_frozen:
        return Reason(code="agency_frozen", counts=False, text="The agency is frozen: none of its people is let in.")
    if subject.status == "active":
        return Reason(code="account_active", counts=True, text="The account is active.")
    return Reason(code="account_not_active", counts=False, text=f"The account is {subject.status}.")


def granting_reasons(subject: Subject, action: Permission, reached: Sequence[bool]) -> list[Reason]:
    if not subject.sources:
        return [Reason(code="nothing_grants", counts=False, text=f"No role and no grant gives {action}.")]
    return [granting_reason(source, action, is_reached) for source, is_reached in zip(subject.sources, reached, strict=True)]


def granting_reason(source: Source, action: Permission, is_reached: bool) -> Reason:
    words = words_of(source.grants[action])
    here = "which counts here" if is_reached else "which does not count here"
    details: dict[str, Any] = {"kind": source.kind, "key": source.key, "scope": words}
    if source.kind == "grant":
        until = source.until.isoformat() if source.until else None
        text = f"A grant gives {action} on named records{f' until {until}' if until else ''}, {here}."
        return Reason(code="row_grant", counts=is_reached, text=text, details=details | {"until": until})
    if source.kind == "group":
        text = f"As an admin of the sales group {source.name} he has {action} on its members' records, {here}."
        return Reason(code="group_grants", counts=is_reached, text=text, details=details)
    return Reason(
        code="role_grants", counts=is_reached, text=f"The role {source.name} grants {action} with the scope {words}, {here}.",
        details=details,
    )  # fmt: skip


def placing(subject: Subject, kind: str, judged: Judgement) -> list[Reason]:
    """Where the object stands, seen from him."""
    found: list[Reason] = []
    if judged.owner_id:
        is_own = str(judged.owner_id) == subject.caller.subject
        text = "It is his own." if is_own else "It is somebody else's."
        found.append(Reason(code="owner", counts=is_own, text=text, details={"owner_id": str(judged.owner_id)}))
    if judged.department_ids:
        path = [str(department) for department in judged.department_ids]
        sits = str(subject.caller.department_id)
        is_on_path = not {str(each) for each in subject.caller.department_ids}.isdisjoint(path)
        text = "He sits in one of the departments on its path." if is_on_path else "He sits in no department on its path."
        found.append(Reason(code="department_path", counts=is_on_path, text=text, details={"path": path, "department_id": sits}))
    if kind == "pool":
        text = "The pool's own rules, its members and admins included, decide."
        found.append(Reason(code="pool_rule", counts=judged.is_allowed, text=text))
    elif judged.pool_id:
        details = {"pool_id": str(judged.pool_id)}
        found.append(Reason(code="in_pool", counts=False, text="Nobody holds it: it lies in a pool.", details=details))
    if judged.is_shared:
        found.append(Reason(code="collaborator", counts=True, text="He works on it as a collaborator with this right."))
    if judged.levels and judged.is_allowed:
        text = "Of these fields he sees and changes what the field policy says."
        found.append(Reason(code="field_policy", counts=True, text=text, details=dict(judged.levels)))
    return found


def needed_for(subject: Subject, action: Permission, judged: Judgement, rules: Sequence[Reason]) -> list[str]:
    found = [] if subject.status == "active" else ["an active account: an administrator restores it"]
    if subject.is_frozen:
        found.append("an agency that is not frozen: headquarters thaws it")
    if not subject.sources:
        found.append(f"a role or a grant with {action}")
    elif not judged.is_allowed and judged.owner_id and action in OF_RECORDS:
        found.append(
            f"{action} with a scope that holds the person {judged.owner_id}, or a grant on him or one of his departments"
        )
    elif not judged.is_allowed:
        found.append(f"{action} with a scope that holds it: that of its agency {judged.agency_id}, or of all")
    return [*found, *("somebody who may" for _ in rules)]
