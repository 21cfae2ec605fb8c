"""What everybody does for himself."""

from sqlalchemy.orm import Session as DatabaseSession

from services.contracts import identity as contract
from services.contracts import profile
from services.contracts.base import Nothing
from services.contracts.errors import InvalidRequest, NotAuthenticated, PasswordRefused, VersionConflict
from services.contracts.reach import words_of
from services.identity import domain, queries
from services.identity.access import found
from services.identity.blocklist import is_common
from services.identity.guessing import TryToBeOneself, as_oneself, lock_proven
from services.identity.models import Person, Preferences, Session
from services.identity.passwords import hash_password, matches
from services.identity.people import tell_change
from services.identity.sessions import session_view
from services.plumbing.call import Call
from services.plumbing.offload import offload
from services.plumbing.rpc import serves
from services.plumbing.service import Service

REACHED_BY = {"phone", "email"}
"""What takes the current password: by an e-mail address one logs in, by a phone one is called back."""


class Profile(Service):
    @serves(contract.SHOW_PROFILE)
    def show_profile(self, query: Nothing, call: Call) -> contract.ProfileView:
        with call.reading() as session:
            return profile_view(session, found(queries.find_person(session, call.user_id)), call)

    @serves(profile.UPDATE_PROFILE)
    def update_profile(self, command: profile.UpdateProfile, call: Call) -> contract.ProfileView:
        if "display_name" in command.model_fields_set and command.display_name is None:
            wrong = {"in": "body", "pointer": "/display_name", "detail": "must not be null"}
            raise InvalidRequest(errors=[wrong])
        call.answer_again()
        if not command.model_fields_set & REACHED_BY:
            return update(command, call, None, None)
        with call.reading() as session:
            person = found(queries.find_person(session, call.user_id))
        with as_oneself(command.current, person, call) as attempt:
            return update(command, call, person, attempt)

    @serves(profile.SHOW_PREFERENCES)
    def show_preferences(self, query: Nothing, call: Call) -> profile.PreferencesView:
        with call.reading() as session:
            return preferences_view(queries.find_preferences(session, call.user_id))

    @serves(profile.UPDATE_PREFERENCES)
    def update_preferences(self, command: profile.UpdatePreferences, call: Call) -> profile.PreferencesView:
        with call.transaction() as work:
            found(queries.lock_person(work.session, call.user_id))
            kept = queries.find_preferences(work.session, call.user_id)
            old = preferences_view(kept)
            if old.version != command.expected_version:
                raise VersionConflict(version=old.version)
            changes = command.model_dump(include=command.model_fields_set & profile.PreferencesShape.model_fields.keys())
            new = old.model_copy(update={**changes, "version": old.version + 1})
            if kept is None:
                kept = Preferences(person_id=call.user_id)
                work.session.add(kept)
            for name, value in new:
                setattr(kept, name, list(value) if name == "modules" else value)
            work.audit(call.user_id, old=old, new=new)
            return work.answer(new)

    @serves(contract.CHANGE_PASSWORD)
    def change_password(self, command: contract.ChangePassword, call: Call) -> contract.ChangedPassword:
        call.answer_again()
        with call.reading() as session:
            person = found(queries.find_person(session, call.user_id))
            agency = found(queries.find_agency(session, person.agency_id))
        # before the current one is looked at, so that the refusal of a new one does not tell that it was right
        domain.check_password(command.new, words=guesses_about(person, agency.name), is_common=is_common)
        if call.caller.password_change_required:
            if offload(matches, command.new, person.password_hash):
                raise PasswordRefused(reason="it is the one that has expired")
            return change(command, call, person, None)
        with as_oneself(command.current, person, call) as attempt:
            return change(command, call, person, attempt)


def update(
    command: profile.UpdateProfile, call: Call, person: Person | None, attempt: TryToBeOneself | None
) -> contract.ProfileView:
    with call.transaction() as work:
        if attempt and person:
            locked = lock_proven(work, attempt, person)
        else:
            locked = found(queries.lock_person(work.session, call.user_id))
        if locked.version != command.expected_version:
            raise VersionConflict(version=locked.version)
        old = profile_view(work.session, locked, call)
        for name in command.model_fields_set & {"display_name", "title", *REACHED_BY}:
            setattr(locked, name, getattr(command, name))
        if profile_view(work.session, locked, call) != old:
            tell_change(work, locked, "profile")
        view = profile_view(work.session, locked, call)
        work.audit(locked.id, old=old, new=view)
        return work.answer(view)


def change(
    command: contract.ChangePassword, call: Call, person: Person, attempt: TryToBeOneself | None
) -> contract.ChangedPassword:
    """Without `attempt` the password had not to be proved: the session was opened for nothing else."""
    password_hash = offload(hash_password, command.new)
    with call.transaction() as work:
        locked = lock_proven(work, attempt, person) if attempt else found(queries.lock_person(work.session, call.user_id))
        own = found(queries.lock_session(work.session, call.caller.session_id))
        if own.ended_at or own.by_code != call.caller.password_change_required:
            raise NotAuthenticated()  # the passport is older than what has happened to its session
        locked.password_hash, locked.password_set_at = password_hash, work.now
        own.by_code, own.token_digest = False, command.token_digest or own.token_digest
        queries.end_sessions(work.session, work.now, Session.person_id == locked.id, Session.id != own.id)
        queries.drop_code(work.session, locked.id)
        ended = 0 if command.keep_tokens else queries.revoke_tokens(work.session, work.now, locked.id)
        work.audit(locked.id, new={"password": "changed", "ended_tokens": ended})
        return work.answer(contract.ChangedPassword(**session_view(own).model_dump(), ended_tokens=ended))


def guesses_about(person: Person, agency_name: str) -> list[str | None]:
    """What somebody who knows a person would try in his password."""
    return [person.login, person.display_name, person.staff_no, person.email, person.phone, agency_name]


def profile_view(session: DatabaseSession, person: Person, call: Call) -> contract.ProfileView:
    return contract.ProfileView(
        id=person.id,
        version=person.version,
        login=person.login,
        staff_no=person.staff_no,
        email=person.email,
        display_name=person.display_name,
        title=person.title,
        phone=person.phone,
        agency_id=person.agency_id,
        agency_name=found(queries.find_agency(session, person.agency_id)).name,
        department_id=person.department_id,
        department_name=found(queries.find_department(session, person.department_id)).name,
        other_department_ids=person.other_department_ids,
        managed_department_ids=person.managed_department_ids,
        supervisor_id=person.supervisor_id,
        roles=person.roles,
        permissions={permission: words_of(reach) for permission, reach in call.caller.grants.items()},
        password_change_required=call.caller.password_change_required,
    )


def preferences_view(kept: Preferences | None) -> profile.PreferencesView:
    if kept is None:
        return profile.PreferencesView(version=0)
    return profile.PreferencesView.model_validate(kept, from_attributes=True)
