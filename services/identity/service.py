"""The face of identity, and the set-up; what it answers otherwise stands in a file for each idea."""

import hmac

from services.contracts import identity as contract
from services.contracts.base import Nothing
from services.contracts.errors import (
    IdempotencyKeyForgotten,
    InvalidRequest,
    LoginTaken,
    NameTaken,
    SetupClosed,
    SetupSecretWrong,
    TokenNameTaken,
)
from services.contracts.permissions import abilities_of_built_in
from services.identity import domain, queries
from services.identity.accounts import Accounts
from services.identity.agencies import Agencies
from services.identity.api_tokens import ApiTokens
from services.identity.blocklist import is_common
from services.identity.departments import Departments
from services.identity.explaining import Explaining
from services.identity.factors import Factors
from services.identity.groups import Groups
from services.identity.inactivity_rules import InactivityRules
from services.identity.leavings import Leavings
from services.identity.login_settings import Settings
from services.identity.open_sessions import OpenSessions
from services.identity.passwords import hash_password
from services.identity.people import add_person, user_view
from services.identity.profile import Profile
from services.identity.roles import Roles
from services.identity.row_grants import RowGrants
from services.identity.sessions import Sessions
from services.identity.tree import add_agency, add_department
from services.identity.users import Users
from services.plumbing.call import Call
from services.plumbing.offload import offload
from services.plumbing.rpc import serves


class IdentityService(
    Sessions,
    OpenSessions,
    Settings,
    ApiTokens,
    Factors,
    Profile,
    Agencies,
    Departments,
    Groups,
    Users,
    Accounts,
    Roles,
    RowGrants,
    Explaining,
    InactivityRules,
    Leavings,
):
    name = "identity"
    constraints = {  # noqa: RUF012 read only
        "agency_one_headquarters": SetupClosed,
        "agency_name_key": NameTaken,
        "department_name_key": NameTaken,
        "sales_group_name": NameTaken,
        "person_login_key": LoginTaken,
        "identifier_pkey": LoginTaken,
        "api_token_name": TokenNameTaken,
        "api_token_key": IdempotencyKeyForgotten,
        "session_token_key": IdempotencyKeyForgotten,
        "person_login_check": InvalidRequest,
        "role_name": NameTaken,
    }

    @serves(contract.SETUP_STATE)
    def setup_state(self, query: Nothing, call: Call) -> contract.SetupState:
        with call.reading() as session:
            return contract.SetupState(needed=not queries.has_agencies(session))

    @serves(contract.SET_UP)
    def set_up(self, command: contract.SetUp, call: Call) -> contract.UserView:
        secret = self.plumbing.settings.setup_secret
        if secret is None or not hmac.compare_digest(secret.get_secret_value().encode(), command.secret.encode()):
            raise SetupSecretWrong()
        words = (command.login, command.display_name, command.agency_name)
        domain.check_password(command.password, words=words, is_common=is_common)
        password_hash = offload(hash_password, command.password)
        with call.transaction() as work:
            if queries.has_agencies(work.session):
                raise SetupClosed()
            agency = add_agency(work, command.agency_name, is_headquarters=True)
            department = add_department(work, agency, agency.name, None, kind="company")
            person = add_person(
                work,
                department,
                login=command.login,
                display_name=command.display_name,
                roles=[domain.ADMINISTRATOR],
                abilities=abilities_of_built_in([domain.ADMINISTRATOR]),
                password_hash=password_hash,
            )
            work.audit(person.id, agency_id=agency.id, new=user_view(person))
            return work.answer(user_view(person))
