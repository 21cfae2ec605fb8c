"""What may go wrong and be told to a caller. Nothing else crosses RPC: the rest becomes `InternalError`.

The class's name is the stable slug, its docstring the title, its arguments the details; it is rebuilt from them at the caller.
"""

import re
from typing import Any, ClassVar


class QudaoError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    is_denial: ClassVar[bool] = False
    """Whether it is written to the audit: somebody tried what he may not."""
    registry: ClassVar[dict[str, type["QudaoError"]]] = {}

    def __init__(self, **details: Any) -> None:
        super().__init__(details)
        self.details = details

    def __init_subclass__(cls) -> None:
        QudaoError.registry[cls.__name__] = cls

    @property
    def told_as(self) -> type["QudaoError"]:
        """What the caller is told that it is: whether something is hidden or missing is not for him to know."""
        return NotFound if isinstance(self, OutOfScope) else type(self)

    @classmethod
    def slug(cls) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @property
    def title(self) -> str:
        return (type(self).__doc__ or "").strip()

    def __str__(self) -> str:
        return self.title


def rebuild(name: str, details: dict[str, Any]) -> QudaoError:
    """The error that a service raised, from its name and details; an unknown one is internal."""
    return QudaoError.registry.get(name, InternalError)(**details)


# --- of the way there


class InternalError(QudaoError):
    """Something failed on our side; the incident's id finds it in the logs."""


class InvalidRequest(QudaoError):
    """The request is not of the expected form."""

    status = 422


class NotAuthenticated(QudaoError):
    """Log in first: the session is missing, ended or expired."""

    status = 401


class PermissionDenied(QudaoError):
    """You are not permitted to do this."""

    status = 403
    is_denial = True


class NotFound(QudaoError):
    """There is no such thing, or it is not yours to see."""

    status = 404


class OutOfScope(NotFound):
    """There is no such thing, or it is not yours to see."""

    is_denial = True


class ServiceUnavailable(QudaoError):
    """A part of the system does not answer just now; try again."""

    status = 503


class DeadlinePassed(QudaoError):
    """The answer did not come in time; whether the change was made is told by repeating it with the same Idempotency-Key."""

    status = 504


class CommandExpired(QudaoError):
    """The command arrived after its deadline and was not run."""

    status = 503


class CommandInFlight(QudaoError):
    """The same command is being carried out just now."""

    status = 409


class IdempotencyKeyReused(QudaoError):
    """This Idempotency-Key was used with another request."""

    status = 422


class IdempotencyKeyForgotten(QudaoError):
    """This Idempotency-Key has made a secret before, too long ago to be told again: use another key."""

    status = 409


class VersionConflict(QudaoError):
    """Somebody changed it meanwhile: read it again."""

    status = 412


class FieldKindIsKept(QudaoError):
    """The kind of a custom field stays: customers have values of it. Make another field."""

    status = 409


class InvalidCursor(QudaoError):
    """The cursor is not one that we gave."""

    status = 422


class ExportTooLarge(QudaoError):
    """An export takes so many rows of a service and no more: narrow the time or the filter, and make several."""

    status = 422


# --- of identity


class WrongCredentials(QudaoError):
    """Login or password is wrong, or the agency asks for a captcha at every log-in and there is none."""

    status = 401
    is_denial = True


class PasswordChangeRequired(QudaoError):
    """Choose a password of your own first."""

    status = 403
    is_denial = True


class PasswordRefused(QudaoError):
    """This password does not meet the rules."""

    status = 422


class SetupClosed(QudaoError):
    """The system is set up already."""

    status = 404


class SetupSecretWrong(QudaoError):
    """The set-up secret is wrong."""

    status = 403
    is_denial = True


class LoginTaken(QudaoError):
    """This login, staff number or e-mail address belongs to somebody else."""

    status = 409


class HasPassword(QudaoError):
    """This user has a password already."""

    status = 409


class NameTaken(QudaoError):
    """Another one has this name already."""

    status = 409


class AgencyFrozen(QudaoError):
    """Your agency is frozen: headquarters can open it again."""

    status = 403
    is_denial = True


class HeadquartersStays(QudaoError):
    """Headquarters cannot be frozen."""

    status = 409


class DepartmentBelowItself(QudaoError):
    """A department cannot stand below itself, nor be merged into itself or one below it: move that one elsewhere first."""

    status = 409


class TreeTooDeep(QudaoError):
    """Departments stand 12 deep at most: choose a higher place."""

    status = 409


class DepartmentFrozen(QudaoError):
    """This department is frozen: nobody and no department comes into it until it is thawed."""

    status = 409


class DepartmentMerged(QudaoError):
    """This department has been merged into another one, whose id is `merged_into_id`: use that."""

    status = 409


class MergeTooLarge(QudaoError):
    """Too many people or departments would have to change at once: move some of them into the other department first."""

    status = 409


class GroupDissolved(QudaoError):
    """This sales group is dissolved: nothing of it changes any more."""

    status = 409


class GroupIsFull(QudaoError):
    """No more people can be in this sales group: remove somebody first."""

    status = 409


class RightMissing(QudaoError):
    """You do not have the right in this sales group that this takes: an administrator or its admins can give it."""

    status = 403
    is_denial = True


class AboveYourRights(QudaoError):
    """Nobody can grant more than he holds himself."""

    status = 403
    is_denial = True


class AboveCeiling(QudaoError):
    """The user's department may not have as much: it, or one above it, has a ceiling."""

    status = 403
    is_denial = True


class RoleInUse(QudaoError):
    """Somebody has this role: give him another one first."""

    status = 409


class RoleArchived(QudaoError):
    """This role has been archived: it can be read, and not changed."""

    status = 409


class SupervisorUnfit(QudaoError):
    """A supervisor is of the same agency, and neither the user himself nor one of those whom he supervises."""

    status = 422


class TooManyGrants(QudaoError):
    """He has as many grants as one may have: give him a role that says it, or withdraw one."""

    status = 409


class GrantEnds(QudaoError):
    """A grant ends in the future, or not at all."""

    status = 422


class CaptchaRequired(QudaoError):
    """This log-in needs a solved captcha: draw one with `POST /v1/captchas`."""

    status = 403
    is_denial = True


class TooManyFailures(QudaoError):
    """Too many log-ins to this account have failed: wait for as long as it says, or log in on a device that is known."""

    status = 429
    is_denial = True


class AccountLocked(QudaoError):
    """This account is locked after a long time without a log-in: an administrator can restore it."""

    status = 403
    is_denial = True


class UserNotActive(QudaoError):
    """This user is locked or disabled: restore the account first."""

    status = 409


class LeavingUnderWay(QudaoError):
    """This user's leaving is under way: wait until it is done."""

    status = 409


class UserIsBack(QudaoError):
    """This user was restored since: order another leaving if he leaves again."""

    status = 409


class LastAdministrator(QudaoError):
    """The last administrator stays."""

    status = 409


class OwnAccount(QudaoError):
    """This is for another administrator to do: it is your own account."""

    status = 403
    is_denial = True


class ManagedDepartmentsMissing(QudaoError):
    """Whose role counts on managed departments oversees one of his own agency at least, and nobody else oversees any."""

    status = 422


class CurrentPasswordWrong(QudaoError):
    """This takes the current password, and this is not it."""

    status = 403
    is_denial = True


class SessionForfeited(QudaoError):
    """Too many wrong passwords were given: this session is ended, log in again."""

    status = 401
    is_denial = True


class SecondFactorRequired(QudaoError):
    """The password is right; send the code of your second factor, or a recovery code, with it."""

    status = 403
    is_denial = True


class SecondFactorWrong(QudaoError):
    """This code is wrong, or has counted before: wait for the next one."""

    status = 403
    is_denial = True


class TooManyCodes(QudaoError):
    """Too many wrong codes were given: wait a quarter of an hour, or have an administrator reset the second factor."""

    status = 429
    is_denial = True


class SecondFactorUsed(QudaoError):
    """There is a second factor already: disable it first."""

    status = 409


class NoSecondFactor(QudaoError):
    """There is no second factor to do this with: enrol one first."""

    status = 409


class NotForTokens(QudaoError):
    """A token can be given neither what its maker does not hold, nor what takes a person."""

    status = 422
    is_denial = True


class TokenNameTaken(QudaoError):
    """You have a token of this name already."""

    status = 409


class TooManyTokens(QudaoError):
    """You have as many tokens as anybody may: revoke one first."""

    status = 409


# --- of customers


class CustomersInWork(QudaoError):
    """Others are at work on all of these customers."""

    status = 409


class NotTheOwner(QudaoError):
    """Only the person who holds the customer may do this."""

    status = 403
    is_denial = True


class StockIsFull(QudaoError):
    """The stock limit is reached: release a customer first."""

    status = 409


class NotHeld(QudaoError):
    """Nobody holds this customer: it lies in a pool."""

    status = 409


class NotInPool(QudaoError):
    """It does not lie in the pool from which this takes it."""

    status = 409


class NotClaimable(QudaoError):
    """Customers of this pool are assigned by its administrator and cannot be claimed."""

    status = 409


class DayOfClaimsFull(QudaoError):
    """You have claimed as many from this pool today as it gives: from `until` on there are more."""

    status = 409


class ClaimTooSoon(QudaoError):
    """Your last claim from this pool was only just: the next one is possible from `until` on."""

    status = 409


class CoolingDown(QudaoError):
    """You gave this customer up, or it was taken back from you: you may claim it again from `until` on."""

    status = 409


class NewInPool(QudaoError):
    """It has come into this pool only just: it can be claimed from `until` on."""

    status = 409


class ChangedHandsTooOften(QudaoError):
    """It has come to another holder too often to be claimed: an administrator assigns it."""

    status = 409


class LiesThere(QudaoError):
    """It lies in this pool already."""

    status = 409


class BuiltInPool(QudaoError):
    """Every agency has this pool: it keeps its name, has no members and is not archived."""

    status = 409


class PoolArchived(QudaoError):
    """This pool is archived: nothing comes into it and nothing of it changes any more."""

    status = 409


class PoolNotEmpty(QudaoError):
    """Customers lie in this pool: move or assign them first."""

    status = 409


class HeldElsewhere(QudaoError):
    """Somebody else has the same company under another record."""

    status = 409


class ReceiverUnfit(QudaoError):
    """This person cannot hold customers, or not now."""

    status = 409


class AlreadyTheirs(QudaoError):
    """This person holds the customer already."""

    status = 409


class CustomerCollides(QudaoError):
    """With this change it would be the same company as another one."""

    status = 409


class AlreadyDecided(QudaoError):
    """This has been decided already."""

    status = 409


class OwnEntry(QudaoError):
    """Nobody judges what he has entered or holds himself."""

    status = 403
    is_denial = True


class EntryCollides(QudaoError):
    """By now this company is there: decide `same`, or leave the entry waiting until that has changed."""

    status = 409


class OthersCameNear(QudaoError):
    """Others have come near since: look at them, then decide with their refs in `seen`."""

    status = 409


class NotWaiting(QudaoError):
    """This entry was made and cannot be withdrawn: release the customer."""

    status = 409


class TerritoryIsGiven(QudaoError):
    """Headquarters gives agencies their territories: leave `places` as they are."""

    status = 403
    is_denial = True


class NotDisputable(QudaoError):
    """The refusal of this entry cannot be disputed."""

    status = 409


class AlreadyDisputed(QudaoError):
    """You have disputed this already."""

    status = 409


class SideHasAnswered(QudaoError):
    """This dispute has been answered already."""

    status = 409


class PartyToDispute(QudaoError):
    """Nobody decides a dispute who is a side of it, has entered the customer or holds it."""

    status = 403
    is_denial = True


class OverseesOneSide(QudaoError):
    """Who oversees both sides decides: of two departments their manager or administrator, of two agencies headquarters."""

    status = 403
    is_denial = True


class HolderChanged(QudaoError):
    """The customer has changed hands since: see who has it now, and decide again with its `holding`."""

    status = 409


class HolderOutOfReach(QudaoError):
    """By now somebody has the customer whom you do not oversee: who oversees him as well decides."""

    status = 409


class OwnRights(QudaoError):
    """Nobody gives himself a part in a customer: it is for somebody else to do."""

    status = 403
    is_denial = True


class FieldNotEditable(QudaoError):
    """These fields cannot be changed to this: they are not yours to change, or a mask was sent back as their value."""

    status = 403
    is_denial = True


class TeamIsFull(QudaoError):
    """No more people can work on this customer: remove somebody first."""

    status = 409


class NotRevealable(QudaoError):
    """This field cannot be revealed."""

    status = 409


class HandoffOpen(QudaoError):
    """This customer is being handed off already: withdraw that first."""

    status = 409


class HandoffClosed(QudaoError):
    """This handoff has been answered or withdrawn already."""

    status = 409


class HandoffLapsed(QudaoError):
    """Nothing can come of this handoff any more: the customer has changed hands, or the time was up."""

    status = 409


class RevealLimitReached(QudaoError):
    """You have revealed as many fields today as you may: go on tomorrow, or ask who may see them."""

    status = 429
    is_denial = True


# --- of activities


class FollowUpForfeited(QudaoError):
    """The time for the first contact has run out, and the customer goes back to the pool."""

    status = 409
