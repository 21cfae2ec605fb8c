"""Decisions about giving rights: nobody gives more than he may, nor more than the receiver's department may have at most."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.contracts.errors import AboveCeiling, AboveYourRights
from services.contracts.permissions import OF_EVERYBODY, OF_SELLERS, ROLES, Permission, Scope
from services.contracts.reach import Grants, Place, Reach, Viewer, covers, is_within, scopes_in, together


@dataclass(frozen=True)
class Receiver:
    """Who is given something; `place` is that of his own records."""

    place: Place
    is_of_headquarters: bool


NOT_OF_ADMINISTRATORS = OF_SELLERS.keys() - ROLES["subsystem_admin"].keys()
"""What nobody could give by his holding it, as those who add users need not sell."""


def enough_of(held: Grants, permission: Permission, given: Reach) -> Reach | None:
    """By what of his somebody gives this: by his holding it. Who adds users, and need not sell, gives also what sellers have, as
    far as they have it, and what administrators do not do themselves on the customers that he sees."""
    reaches = [held[permission]] if permission in held else []
    if "user:create" in held:
        reaches += [held["user:create"]] if OF_SELLERS.get(permission) is given else []
        reaches += [held["customer:read"]] if permission in NOT_OF_ADMINISTRATORS and "customer:read" in held else []
    return together(*reaches) if reaches else None


def is_everybodys(permission: Permission, reach: Reach) -> bool:
    """Whether everybody has it as far as that: administrators have some of it for others besides."""
    return OF_EVERYBODY.get(permission) is reach


def check_role(giver: Viewer, held: Grants, given: Grants, receiver: Receiver) -> None:
    """Raises AboveYourRights when a role may not be given to this receiver, or taken from him."""
    for permission, reach in given.items():
        if is_everybodys(permission, reach):
            continue
        if reach is Scope.ALL and not receiver.is_of_headquarters:
            raise AboveYourRights(reason="only headquarters has roles that count on all agencies", permission=permission)
        enough = enough_of(held, permission, reach)
        if enough is None or not may_give(giver, enough, reach, receiver.place):
            raise AboveYourRights(reason="you do not hold this yourself as far as that", permission=permission)


def may_give(giver: Viewer, held: Reach, given: Reach, receiver: Place) -> bool:
    """Where `given` counts depends on who has it: below the reach of an agency no more is certain than what is his own."""
    if held is Scope.ALL:
        return True
    if receiver.agency_id != giver.agency_id or given is Scope.ALL:
        return False
    return held is Scope.AGENCY or (given is Scope.OWN and covers(held, giver, receiver, None))


def check_contents(giver: Viewer, held: Grants, contents: Grants, of: Place, *, is_common: bool) -> None:
    """Raises AboveYourRights when a role of this agency may not be made or changed, whoever will have it."""
    for permission, reach in contents.items():
        if reach is Scope.ALL and not is_common:
            raise AboveYourRights(reason="only headquarters has roles that count on all agencies", permission=permission)
        enough = enough_of(held, permission, reach)
        if enough is Scope.ALL or is_everybodys(permission, reach):
            continue
        if enough is not Scope.AGENCY or is_common or reach is Scope.ALL or of.agency_id != giver.agency_id:
            raise AboveYourRights(reason="you do not hold this yourself as far as that", permission=permission)


def check_sight(giver: Viewer, held: Grants, before: Place, after: Place) -> None:
    """Raises AboveYourRights when who moves somebody to another department or supervisor would come to reach him thereby."""
    for permission, reach in held.items():
        if covers(reach, giver, after, None) and not covers(reach, giver, before, None):
            raise AboveYourRights(reason="you would come to see him yourself", permission=permission)


def check_shown(giver: Viewer, held: Grants, to: Viewer, theirs: Grants, before: Place, after: Place) -> None:
    """Raises AboveYourRights when who puts somebody elsewhere lets one of those who look after that see him, and does not see him
    himself as far as that."""
    for permission, reach in theirs.items():
        is_new = covers(reach, to, after, None) and not covers(reach, to, before, None)
        if is_new and not (permission in held and covers(held[permission], giver, before, None)):
            raise AboveYourRights(reason="who looks after it would come to see him, whom you do not see", permission=permission)


def check_leaders(giver: Viewer, held: Grants, leaders: Iterable[Grants], of: Place) -> None:
    """Raises AboveYourRights when those who would come to stand above somebody may thereby what one cannot give."""
    for grants in leaders:
        for permission, reach in grants.items():
            if Scope.SUBORDINATES not in scopes_in(reach):
                continue
            enough = enough_of(held, permission, Scope.SUBORDINATES)
            if enough is None or not may_give(giver, enough, Scope.SUBORDINATES, of):
                raise AboveYourRights(reason="the supervisor would have more than you hold", permission=permission)


def check_row(giver: Viewer, held: Grants, given: Permission, place: Place, until: datetime | None) -> None:
    """Raises AboveYourRights unless who gives rights on the records of this place holds them there himself, for as long."""
    needed: tuple[Permission, ...] = ("grant:give", given)
    for permission in needed:
        if permission not in held or not covers(held[permission], giver, place, until):
            raise AboveYourRights(reason="you do not hold this there yourself for as long", permission=permission)


def check_ceilings(given: Grants, ceilings: Iterable[Grants]) -> None:
    """Raises AboveCeiling. Each ceiling is that of the receiver's department, or of one above it: all roles in it together."""
    for ceiling in ceilings:
        for permission, reach in given.items():
            if is_everybodys(permission, reach) or (permission in ceiling and is_within(reach, ceiling[permission])):
                continue
            raise AboveCeiling(permission=permission)


def check_row_ceilings(receiver: Viewer, permission: Permission, place: Place, ceilings: Iterable[Grants]) -> None:
    """Raises AboveCeiling when the receiver could not have this by any role that his department may have."""
    for ceiling in ceilings:
        if permission not in ceiling or not covers(ceiling[permission], receiver, place, None):
            raise AboveCeiling(permission=permission)
