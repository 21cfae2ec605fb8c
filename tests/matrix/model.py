"""Who may do what, said in plain Python. Departments are paths: `ours/sales/first` lies below `ours/sales`, and both in `ours`.

What an answer comes to is one word: `done`, or the slug of the problem.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.contracts.permissions import BEFORE_OWN_PASSWORD, ROLES

DONE = "done"
NOT_AUTHENTICATED = "not-authenticated"
DENIED = "permission-denied"
HIDDEN = "not-found"
ABSENT = "absent"
"""Told as hidden, though nothing is hidden from who asks: there is no such thing where he looks for it."""


@dataclass(frozen=True)
class Person:
    name: str
    role: str
    department: str
    managed: tuple[str, ...] = ()
    standing: str = "in"
    """`in`: logged in. `code`: with a one-time code, before he has a password. `out`: nobody who is let in."""
    made: tuple[tuple[str, str], ...] = ()
    """What a role of his grants that is not built in."""
    token: tuple[str, ...] = ()
    """The permissions of the program that asks in his name."""

    @property
    def agency(self) -> str:
        return self.department.partition("/")[0]

    @property
    def grants(self) -> dict[str, str]:
        """What a session of his may do, and on whose records."""
        if self.standing == "out":
            return {}
        granted = BEFORE_OWN_PASSWORD if self.standing == "code" else dict(self.made) or ROLES[self.role]
        of_program = self.token or granted.keys()
        return {permission: str(scope) for permission, scope in granted.items() if permission in of_program}

    def may(self, permission: str, *scopes: str) -> bool:
        """Whether he holds it, with one of these scopes if some are given."""
        return permission in self.grants and (not scopes or self.grants[permission] in scopes)

    @property
    def holds_customers(self) -> bool:
        return self.may("customer:claim")


@dataclass(frozen=True)
class Whose:
    """Whose an object is: of a person, or of nobody but an agency. `other` is the second person of what has two sides.

    `kind` tells pools and what lies in them apart.
    """

    name: str
    agency: str
    owner: Person | None = None
    other: Person | None = None
    kind: str = ""


def lies_in(department: str, root: str) -> bool:
    return department == root or department.startswith(f"{root}/")


def oversees(person: Person, roots: tuple[str, ...], owner: Person | None) -> bool:
    return owner is not None and (owner == person or any(lies_in(owner.department, root) for root in roots))


WITHIN: dict[str, Callable[[Person, Person | None, str], bool]] = {
    "own": lambda me, owner, agency: owner == me,
    "department": lambda me, owner, agency: agency == me.agency and oversees(me, (me.department,), owner),
    "managed": lambda me, owner, agency: agency == me.agency and oversees(me, (me.department, *me.managed), owner),
    "agency": lambda me, owner, agency: agency == me.agency,
    "all": lambda me, owner, agency: True,
}
"""For each scope whether something is within it: who asks, whose it is, of which agency it is."""


def reaches(me: Person, permission: str, owner: Person | None, agency: str) -> bool:
    """Whether he has the permission on it."""
    return me.may(permission) and WITHIN[me.grants[permission]](me, owner, agency)


Rule = Callable[[Person, Whose, str], str]
"""What somebody who has the permission is told, by whose the object is."""


def by_scope(me: Person, whose: Whose, permission: str) -> str:
    return DONE if reaches(me, permission, whose.owner, whose.agency) else HIDDEN


def anyhow(me: Person, whose: Whose, permission: str) -> str:
    """For what asks for no object: the permission is enough."""
    return DONE


def refused_as(slug: str, rule: Rule = anyhow) -> Rule:
    """A permitted one gets as far as this refusal."""

    def told(me: Person, whose: Whose, permission: str) -> str:
        found = rule(me, whose, permission)
        return slug if found == DONE else found

    return told


def by_agency(me: Person, whose: Whose, permission: str) -> str:
    """For what is an agency's and nobody's in particular: a scope below the agency's reaches it as well."""
    return DONE if me.may(permission, "all") or whose.agency == me.agency else HIDDEN


def own_alone(me: Person, whose: Whose, permission: str) -> str:
    return DONE if whose.owner == me else HIDDEN


# --- customers


def held(told: str, rule: Rule = by_scope) -> Rule:
    """In a pool nobody holds it."""

    def of(me: Person, whose: Whose, permission: str) -> str:
        found = rule(me, whose, permission)
        return told if found == DONE and whose.owner is None else found

    return of


def take_back(me: Person, whose: Whose, permission: str) -> str:
    found = held("not-held")(me, whose, permission)
    return "already-theirs" if found == DONE and whose.owner == me else found


def in_pool(me: Person, whose: Whose, permission: str) -> str:
    """By who administers the pool: those who manage pools, and nobody of these for a pool of his own."""
    if me.may(permission, "own"):
        return HIDDEN
    found = by_scope(me, whose, permission)
    return "not-in-pool" if found == DONE and whose.owner else found


def open_up(me: Person, whose: Whose, permission: str) -> str:
    found = by_scope(me, whose, permission)
    return "not-in-pool" if found == DONE and whose.kind != "agency" else found


def claim(me: Person, whose: Whose, permission: str) -> str:
    """Everybody of the agency knows by the collision check who holds what, and what lies in the agency pool."""
    if whose.agency != me.agency:
        return HIDDEN
    if whose.owner:
        return "already-theirs" if whose.owner == me else "not-in-pool"
    return DONE if whose.kind == "public" else "not-claimable"


def write_note(me: Person, whose: Whose, permission: str) -> str:
    if not reaches(me, "customer:read", whose.owner, whose.agency):
        return HIDDEN
    return DONE if whose.owner == me else "not-the-owner"


def read_notes(me: Person, whose: Whose, permission: str) -> str:
    """Wherever their customer is read."""
    return by_scope(me, whose, "customer:read")


def edit(me: Person, whose: Whose, permission: str) -> str:
    """What others hold only as far as the field policy lets, which of a role that was made is not at all."""
    found = by_scope(me, whose, permission)
    return "field-not-editable" if found == DONE and whose.owner != me else found


def reveal(me: Person, whose: Whose, permission: str) -> str:
    """One's own customers one sees in full."""
    found = by_scope(me, whose, permission)
    return "not-revealable" if found == DONE and whose.owner == me else found


# --- pools

BUILT_IN = ("public", "agency", "telesales", "industry")


def sees_pool(me: Person, whose: Whose, permission: str) -> str:
    """All of one's agency who manages pools, the others those in which they might work; `closed` is one of others."""
    if me.may("pool:read", "all"):
        return DONE
    is_open = whose.kind in ("public", "open")
    return DONE if whose.agency == me.agency and (me.may("pool:manage") or is_open) else HIDDEN


def administer_pool(me: Person, whose: Whose, permission: str) -> str:
    """Who works in a pool without being its admin is told that he may not."""
    if me.may("pool:manage"):
        return by_agency(me, whose, "pool:manage")
    return DENIED if sees_pool(me, whose, "pool:read") == DONE else HIDDEN


def custom_alone(rule: Rule) -> Rule:
    """Every agency has its built-in pools: they stay as they are."""

    def told(me: Person, whose: Whose, permission: str) -> str:
        found = rule(me, whose, permission)
        return "built-in-pool" if found == DONE and whose.kind in BUILT_IN else found

    return told


# --- people


def administer(me: Person, whose: Whose, permission: str) -> str:
    """Nobody administers who has a role that he could not give."""
    assert whose.owner
    found = by_scope(me, whose, permission)
    return "above-your-rights" if found == DONE and whose.owner.role == "subsystem_admin" and not is_head(me) else found


HEADQUARTERS = "headquarters"


def is_head(me: Person) -> bool:
    return me.role == "subsystem_admin"


def never_oneself(me: Person, whose: Whose, permission: str) -> str:
    return "own-account" if whose.owner == me else administer(me, whose, permission)


def invite(me: Person, whose: Whose, permission: str) -> str:
    """Who asks has a password himself."""
    found = administer(me, whose, permission)
    return "has-password" if found == DONE and whose.owner == me else found


def make_head(me: Person, whose: Whose, permission: str) -> str:
    """Subsystem administrators are made by subsystem administrators, in headquarters."""
    found = by_agency(me, whose, permission)
    if found == DONE and not (is_head(me) and whose.agency == HEADQUARTERS):
        return "above-your-rights"
    return found


# --- rights


def show_role(me: Person, whose: Whose, permission: str) -> str:
    """Those of headquarters are everybody's."""
    return DONE if whose.agency == HEADQUARTERS else by_agency(me, whose, permission)


def change_role(me: Person, whose: Whose, permission: str) -> str:
    """What headquarters has made for all, it changes alone."""
    found = show_role(me, whose, permission)
    return "above-your-rights" if found == DONE and whose.agency == HEADQUARTERS and not is_head(me) else found


def give_on(departments: dict[str, str]) -> Rule:
    """A right on the records of such a department of the receiver's agency: who gives it has both there, and never to himself."""

    def told(me: Person, whose: Whose, permission: str) -> str:
        if whose.owner == me:
            return "own-account"
        if by_agency(me, whose, permission) == HIDDEN:
            return HIDDEN
        anybody = Person("anybody in it", "rep", departments[whose.agency])
        has_both = all(reaches(me, needed, anybody, whose.agency) for needed in (permission, "customer:read"))
        return DONE if has_both else "above-your-rights"

    return told


def explained(action: str) -> Rule:
    """Of an action on a customer by oneself; of one that is hidden nothing is explained."""

    def told(me: Person, whose: Whose, permission: str) -> str:
        if by_scope(me, whose, "customer:read") == HIDDEN:
            return "not-seen"
        return "allowed" if reaches(me, action, whose.owner, whose.agency) else "not-allowed"

    return told


def explain_another(me: Person, whose: Whose, permission: str) -> str:
    """Who administers nobody asks about himself alone, and is told so of a colleague."""
    found = by_agency(me, whose, permission)
    return DENIED if found == DONE and whose.owner != me and me.may(permission, "own") else found


# --- groups


def in_group(me: Person, whose: Whose, permission: str) -> str:
    """Administrators look after all groups of their agency, others after those of which they are admins."""
    found = by_agency(me, whose, permission)
    return "right-missing" if found == DONE and me.may(permission, "own") and whose.owner != me else found


# --- days


def day(me: Person, whose: Whose, permission: str) -> str:
    return DONE if whose.owner == me else by_scope(me, whose, permission)


# --- reviews, disputes, handoffs


def judge(me: Person, whose: Whose, permission: str) -> str:
    found = by_scope(me, whose, permission)
    return "own-entry" if found == DONE and whose.owner == me else found


def sides_within(me: Person, whose: Whose, permission: str) -> tuple[bool, bool]:
    """Of a dispute: whether the claimant is within reach, and whether the holder is; a pool is its agency's."""
    holder_agency = whose.other.agency if whose.other else whose.agency
    assert whose.owner
    return (
        reaches(me, permission, whose.owner, whose.owner.agency),
        reaches(me, permission, whose.other, holder_agency),
    )


def see_dispute(me: Person, whose: Whose, permission: str) -> str:
    return DONE if any(sides_within(me, whose, "dispute:read")) else HIDDEN


def answer_dispute(me: Person, whose: Whose, permission: str) -> str:
    """The holder; against another agency his administrator too."""
    if me.may(permission, "own"):
        return DONE if whose.other == me else HIDDEN
    holder_agency = whose.other.agency if whose.other else whose.agency
    assert whose.owner
    return DONE if me.agency == holder_agency != whose.owner.agency else HIDDEN


def decide_dispute(me: Person, whose: Whose, permission: str) -> str:
    if see_dispute(me, whose, permission) == HIDDEN:
        return HIDDEN
    if me in (whose.owner, whose.other):
        return "party-to-dispute"
    return DONE if all(sides_within(me, whose, permission)) else "oversees-one-side"


def see_handoff(me: Person, whose: Whose, permission: str) -> str:
    sides = (reaches(me, permission, side, whose.agency) for side in (whose.owner, whose.other))
    return DONE if any(sides) else HIDDEN


def answer_handoff(me: Person, whose: Whose, permission: str) -> str:
    return DONE if whose.other == me else HIDDEN


# --- limits


def own_agency_alone(me: Person, whose: Whose, permission: str) -> str:
    """Where the agency is not said it is one's own, for headquarters too."""
    if whose.agency == me.agency:
        return DONE
    return ABSENT if me.may(permission, "all") else HIDDEN
