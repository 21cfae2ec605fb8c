"""How long sessions and passwords last, when a captcha is asked for: headquarters' word, and an agency's where it is stricter."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session as DatabaseSession

from services.contracts import login as contract
from services.contracts.errors import AboveYourRights, InvalidRequest, VersionConflict
from services.contracts.identity import RoleKey
from services.contracts.permissions import ROLES, Scope
from services.identity import domain, queries
from services.identity.access import check_scope, found
from services.identity.models import Agency, LoginSettings
from services.plumbing.call import Call
from services.plumbing.rpc import serves
from services.plumbing.service import Service


class Settings(Service):
    @serves(contract.SHOW_LOGIN_SETTINGS)
    def show_login_settings(self, query: contract.AskLoginSettings, call: Call) -> contract.LoginSettingsView:
        agency_id = query.agency_id or call.caller.agency_id
        check_scope(call, agency_id)
        with call.reading() as session:
            found(queries.find_agency(session, agency_id))
            return settings_view(session, agency_id, queries.find_settings(session, agency_id))

    @serves(contract.SET_LOGIN_SETTINGS)
    def set_login_settings(self, command: contract.SetLoginSettings, call: Call) -> contract.LoginSettingsView:
        agency_id = command.agency_id or call.caller.agency_id
        check_scope(call, agency_id)
        with call.transaction() as work:
            agency = found(queries.lock_agency(work.session, agency_id))
            if agency.is_headquarters and call.scope is not Scope.ALL:
                raise AboveYourRights(reason="headquarters' settings count for all agencies")
            kept = queries.find_settings(work.session, agency_id)
            version = kept.version if kept else 0
            if version != command.expected_version:
                raise VersionConflict(version=version)
            check_factor_roles(work.session, agency, command.factor_roles)
            old = settings_view(work.session, agency_id, kept) if kept else None
            if kept is None:
                kept = LoginSettings(agency_id=agency_id, is_headquarters=agency.is_headquarters)
                work.session.add(kept)
            kept.captcha_always, kept.idle_minutes = command.captcha_always, command.idle_minutes
            kept.session_hours, kept.max_sessions = command.session_hours, command.max_sessions
            kept.password_days, kept.factor_roles = command.password_days, sorted({str(key) for key in command.factor_roles})
            kept.version = version + 1
            work.session.flush()
            view = settings_view(work.session, agency_id, kept)
            work.audit(agency_id, agency_id=agency_id, old=old, new=view)
            return work.answer(view)


def check_factor_roles(session: DatabaseSession, agency: Agency, keys: Sequence[RoleKey]) -> None:
    """Raises InvalidRequest for those that nobody of the agency can have."""
    roles = queries.roles_by_key(session, map(str, keys))
    usable = {key for key, role in roles.items() if role.archived_at is None and (role.is_common or role.agency_id == agency.id)}
    wrong = [
        {"in": "body", "pointer": f"/factor_roles/{at}", "detail": "there is no such role"}
        for at, key in enumerate(keys)
        if not (key in ROLES or str(key) in usable)
    ]
    if wrong:
        raise InvalidRequest(errors=wrong)


def settings_view(session: DatabaseSession, agency_id: UUID, own: LoginSettings | None) -> contract.LoginSettingsView:
    headquarters = queries.find_headquarters_settings(session)
    limits = limits_by(headquarters, own)
    return contract.LoginSettingsView(
        agency_id=agency_id,
        version=own.version if own else 0,
        settings=contract.LoginSettings.model_validate(own, from_attributes=True) if own else contract.LoginSettings(),
        effective=contract.EffectiveSettings(
            captcha_always=bool(own and own.captcha_always) or bool(headquarters and headquarters.captcha_always),
            idle_minutes=int(limits.idle.total_seconds()) // 60,
            session_hours=int(limits.absolute.total_seconds()) // 3600,
            max_sessions=limits.most,
            password_days=limits.password_age.days if limits.password_age else None,
            factor_roles=factor_roles_by(headquarters, own),
        ),
    )


def limits_by(headquarters: LoginSettings | None, own: LoginSettings | None) -> domain.SessionLimits:
    return domain.limits_by(said_by(headquarters), said_by(own))


def factor_roles_by(*settings: LoginSettings | None) -> list[str]:
    return sorted({role for each in settings if each for role in each.factor_roles})


def said_by(kept: LoginSettings | None) -> domain.SaidSettings:
    if kept is None:
        return domain.SaidSettings()
    return domain.SaidSettings(kept.idle_minutes, kept.session_hours, kept.max_sessions, kept.password_days)


def limits_of(opened: Row[Any]) -> domain.SessionLimits:
    """Of a row with the settings of headquarters and of the person's agency, see `queries.FIND_SESSION`."""
    return domain.limits_by(
        domain.SaidSettings(opened.of_all_idle_minutes, opened.of_all_session_hours),
        domain.SaidSettings(opened.own_idle_minutes, opened.own_session_hours),
    )
