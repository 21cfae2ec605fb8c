"""Tokens by which programs act for a person: made by him, used by them, revoked by him or an administrator."""

from datetime import timedelta

from services.contracts import api_tokens as contract
from services.contracts.base import Nothing, Page
from services.contracts.errors import NotAuthenticated, SecondFactorRequired, TooManyTokens
from services.contracts.identity import Passport
from services.identity import domain, queries
from services.identity.access import found
from services.identity.factors import is_on, prove_given_factor
from services.identity.guessing import as_oneself, lock_proven
from services.identity.models import ApiToken, Person
from services.identity.passports import caller_of, lacks_factor
from services.identity.rights import rights_of
from services.identity.whose import lock_whose, whose
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.rpc import serves
from services.plumbing.service import Service
from services.plumbing.work import Work

MOST = 20  # live tokens of one person


class ApiTokens(Service):
    @serves(contract.MAKE_TOKEN)
    def make_token(self, command: contract.MakeToken, call: Call) -> contract.TokenView:
        call.answer_again()
        domain.check_token_permissions(command.permissions, call.caller.grants)
        with call.reading() as session:
            person = found(queries.find_person(session, call.user_id))
            has_factor = is_on(queries.find_factor(session, person.id))
        with as_oneself(command.current, person, call) as attempt:
            if has_factor:
                prove_given_factor(call, person.id, command.code)
            with call.transaction() as work:
                lock_proven(work, attempt, person)
                if not has_factor and is_on(queries.find_factor(work.session, person.id)):
                    raise SecondFactorRequired()
                token = add_token(work, command, person)
                work.audit(person.id, new=token_view(token))
                return work.answer(token_view(token))

    @serves(contract.LIST_TOKENS)
    def list_tokens(self, query: contract.ListTokens, call: Call) -> Page[contract.TokenView]:
        after = paging.decode_id(query.cursor)
        with call.reading() as session:
            person_id = whose(session, call, query.user_id)
            rows = queries.list_tokens(session, person_id, after, query.limit + 1)
        return paging.page(Page[contract.TokenView], [token_view(row) for row in rows], query.limit)

    @serves(contract.REVOKE_TOKEN)
    def revoke_token(self, command: contract.RevokeToken, call: Call) -> Nothing:
        with call.transaction() as work:
            token = found(queries.find_token(work.session, command.token_id))
            person = lock_whose(work, call, token.person_id)
            token = found(queries.lock_token(work.session, command.token_id))
            if token.revoked_at is None:
                token.revoked_at = work.now
            work.audit(person.id, agency_id=person.agency_id, new={"revoked_token_id": str(token.id), "name": token.name})
            return work.answer(Nothing())

    @serves(contract.RESOLVE_TOKEN)
    def resolve_token(self, query: contract.ResolveToken, call: Call) -> Passport:
        with call.reading_rows() as connection:
            token = queries.find_token_by_digest(connection, query.token_digest)
        if (
            token is None
            or token.status != "active"
            or token.is_frozen
            or token.revoked_at is not None
            or token.now >= token.expires_at
            or lacks_factor(token)
        ):
            raise NotAuthenticated()
        if token.used_at is None or token.now - token.used_at > domain.USED_RESOLUTION:
            with call.noting() as session:
                queries.touch_token(session, token.id, token.now)
        caller = caller_of(token, domain.grants_of_token(token.permissions, rights_of(token)))
        return Passport(token=self.plumbing.signer.sign(caller))


def add_token(work: Work, command: contract.MakeToken, person: Person) -> ApiToken:
    """To a person whose row is locked. Raises TooManyTokens, TokenNameTaken, IdempotencyKeyForgotten."""
    if queries.count_live_tokens(work.session, person.id, work.now) >= MOST:
        raise TooManyTokens(most=MOST)
    token = ApiToken(
        id=new_id(),
        person_id=person.id,
        name=command.name,
        token_digest=command.token_digest,
        permissions=sorted(set(command.permissions)),
        created_at=work.now,
        expires_at=work.now + timedelta(days=command.days),
    )
    work.session.add(token)
    work.session.flush()
    return token


def token_view(token: ApiToken) -> contract.TokenView:
    return contract.TokenView(
        id=token.id,
        user_id=token.person_id,
        name=token.name,
        permissions=token.permissions,
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
        revoked_at=token.revoked_at,
    )
