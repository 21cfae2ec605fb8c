"""The second factor."""

from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import Response

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.routes import make_router
from gateway.tokens import digest_of
from services.contracts import factors as contract
from services.contracts.base import Nothing, View
from services.contracts.errors import (
    AboveYourRights,
    CurrentPasswordWrong,
    NoSecondFactor,
    NotFound,
    OwnAccount,
    SecondFactorUsed,
    SecondFactorWrong,
    SessionForfeited,
    TooManyCodes,
)
from services.contracts.identity import SHOW_PROFILE

router = make_router("identity")

ISSUER = "Qudao"


class EnrolledFactor(View):
    """What an authenticator takes; told this once. `uri` is to be shown as a QR code."""

    secret: str
    uri: str


class RecoveryCodes(View):
    """Each counts once in the place of a code, capitals or not, with hyphens or without. Told this once."""

    recovery_codes: list[str]


@router.get("/me/second-factor", summary="Whether I have a second factor", responses=reading())
async def show_factor(caller: Reader) -> contract.FactorView:
    return await caller.ask(contract.SHOW_FACTOR, Nothing())


@router.post(
    "/me/second-factor",
    status_code=201,
    summary="Begin with a second factor (TOTP)",
    responses=writing(SecondFactorUsed, CurrentPasswordWrong, SessionForfeited),
)
async def enrol_factor(body: contract.ProvePassword, caller: Writer) -> EnrolledFactor:
    secret = caller.backend.derived.shared_secret(caller.user_id, caller.command_id)
    profile = await caller.ask(SHOW_PROFILE, Nothing())
    with caller.forgetting_session():
        await caller.ask(contract.ENROL_FACTOR, contract.EnrolFactor(current=body.current, secret=secret))
    label, parameters = quote(f"{ISSUER}:{profile.login}"), urlencode({"secret": secret, "issuer": ISSUER})
    return EnrolledFactor(secret=secret, uri=f"otpauth://totp/{label}?{parameters}")


@router.post(
    "/me/second-factor/confirm",
    summary="Confirm the second factor with its first code; log-ins need one from then on",
    responses=writing(NoSecondFactor, SecondFactorUsed, SecondFactorWrong, TooManyCodes),
)
async def confirm_factor(body: contract.ProveFactor, caller: Writer) -> RecoveryCodes:
    codes = caller.backend.derived.recovery_codes(caller.user_id, caller.command_id, contract.RECOVERY_CODES)
    digests = tuple(digest_of(code.replace("-", "")) for code in codes)
    await caller.ask(contract.CONFIRM_FACTOR, contract.ConfirmFactor(code=body.code, code_digests=digests))
    return RecoveryCodes(recovery_codes=list(codes))


@router.post(
    "/me/second-factor/disable",
    summary="Do without a second factor; takes the password and a code",
    responses=writing(NoSecondFactor, SecondFactorWrong, TooManyCodes, CurrentPasswordWrong, SessionForfeited),
)
async def disable_factor(body: contract.DisableFactor, caller: Writer) -> contract.FactorView:
    with caller.forgetting_session():
        return await caller.ask(contract.DISABLE_FACTOR, body)


@router.post(
    "/users/{user_id}/second-factor-reset",
    status_code=204,
    summary="Take a lost second factor away and end the user's sessions",
    response_class=Response,
    responses=writing(NotFound, AboveYourRights, OwnAccount),
)
async def reset_factor(user_id: UUID, caller: Writer) -> None:
    await caller.ask(contract.RESET_FACTOR, contract.ResetFactor(user_id=user_id))
