"""The decisions of identity."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.contracts.errors import (
    AboveYourRights,
    CaptchaRequired,
    LastAdministrator,
    ManagedDepartmentsMissing,
    NotForTokens,
    OwnAccount,
    PasswordRefused,
    ServiceUnavailable,
)
from services.contracts.identity import LOGIN_PATTERN, Login, OpenSession
from services.contracts.permissions import BEFORE_OWN_PASSWORD, BEFORE_SECOND_FACTOR, NOT_FOR_TOKENS, ROLES, Scope, union_of
from services.identity.blocklist import LIST, SIZE, is_common
from services.identity.domain import (
    FAILURES_IN_A_ROW,
    SaidSettings,
    SessionLimits,
    active_since,
    are_many,
    are_many_codes,
    check_administrator_remains,
    check_grant,
    check_managed_departments,
    check_not_oneself,
    check_password,
    check_token_permissions,
    grants_of,
    grants_of_token,
    has_expired,
    inactivity_limit,
    is_live,
    lacks_factor,
    limits_by,
    prefixed,
    steps_around,
    with_failure,
)
from services.identity.sessions import is_right
from services.plumbing import offload

KNOWN = ("zhang.san", "张三", None, "san@扬州代理.cn", "+86 138-1234-5678", "扬州代理")

ME, COLLEAGUE = UUID(int=1), UUID(int=2)
OURS, THEIRS = UUID(int=10), UUID(int=11)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_department_carries_its_agencys_name_once() -> None:
    assert prefixed("扬州代理", "一部") == "扬州代理一部"
    assert prefixed("扬州代理", "扬州代理一部") == "扬州代理一部"


@pytest.mark.parametrize("password", ["elevenchars", "aaaaaaaaaaaaaaaa", "zhang.san forever", "this is a Password 1"])
def test_a_weak_password_is_refused_with_the_reason(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_password(password, words=KNOWN, is_common=is_common)
    assert refused.value.details["reason"]


COMMON = [
    "123456789012",
    "1qaz2wsx3edc",
    "qwertyuiop123",
    "P@ssw0rd2026!",
    "iloveyou1314520",
    "woaini1314520",
    "sunshinedragon",
    "dragon-sunshine",
    "monkeymonkeymonkey",
    "111111qwerty",
    "administrator1",
    "letmein letmein",
    "Ｓｕｎｓｈｉｎｅ１２３４５",
    "123qweasdzxc!!",
    "superman2026!!",
    "football12345",
    "!!!charlie1999",
    "qazwsxedcrfv",
    "123321123321",
    "1q2w3e4r5t6y",
]
OWN_WORDS = [
    "four zhang rivers",
    "san@扬州代理.cn x",
    "for 张三 alone here",
    "13812345678 abcd",
    "qudao is my tool",
    "渠道渠道是一个很好的系统呀",
]


@pytest.mark.parametrize("password", [*COMMON, *OWN_WORDS])
def test_what_is_tried_first_is_refused_in_disguise_as_well(password: str) -> None:
    with pytest.raises(PasswordRefused):
        check_password(password, words=KNOWN, is_common=is_common)


def test_the_list_is_sorted_and_as_long_as_it_says() -> None:
    digests = LIST.read_bytes()
    parts = [digests[start : start + SIZE] for start in range(0, len(digests), SIZE)]
    assert len(parts) > 50_000
    assert parts == sorted(set(parts))


@pytest.mark.parametrize("password", ["all lower case letters", "七個字不夠但這裡有十二個字", "🐟🐠🐡🦈🐙🦑🦐🦞🦀🐚🐬🐳"])
def test_a_long_password_needs_no_kinds_of_characters(password: str) -> None:
    check_password(password, words=KNOWN, is_common=is_common)


def test_nobody_grants_in_another_agency_or_above_it() -> None:
    check_grant(Scope.AGENCY, "rep", agency_id=OURS, own_agency_id=OURS, is_headquarters=False)
    check_grant(Scope.ALL, "subsystem_admin", agency_id=OURS, own_agency_id=OURS, is_headquarters=True)
    with pytest.raises(AboveYourRights):
        check_grant(Scope.AGENCY, "rep", agency_id=THEIRS, own_agency_id=OURS, is_headquarters=False)
    with pytest.raises(AboveYourRights):
        check_grant(Scope.AGENCY, "subsystem_admin", agency_id=OURS, own_agency_id=OURS, is_headquarters=True)
    with pytest.raises(AboveYourRights):
        check_grant(Scope.ALL, "subsystem_admin", agency_id=THEIRS, own_agency_id=OURS, is_headquarters=False)


def live(now: datetime, *, ended: datetime | None = None, used: datetime = NOON) -> bool:
    limits = SessionLimits()
    expires_at = NOON + limits.absolute
    return is_live(now, opened_at=NOON, used_at=used, expires_at=expires_at, ended_at=ended, limits=limits)


def test_a_session_lives_thirty_idle_minutes_and_twelve_hours() -> None:
    second = timedelta(seconds=1)
    assert live(NOON + timedelta(minutes=30) - second)
    assert not live(NOON + timedelta(minutes=30))
    assert live(NOON + timedelta(hours=12) - second, used=NOON + timedelta(hours=12) - 2 * second)
    assert not live(NOON + timedelta(hours=12), used=NOON + timedelta(hours=12) - second)
    assert not live(NOON + second, ended=NOON)


def test_the_stricter_limit_counts_and_headquarters_alone_may_widen_the_default() -> None:
    nothing = SaidSettings()
    assert limits_by(nothing, nothing) == SessionLimits()
    both = limits_by(SaidSettings(60, 24, 50, 180), SaidSettings(10, 48, 5, 90))
    assert both == SessionLimits(timedelta(minutes=10), timedelta(hours=24), 5, timedelta(days=90))
    assert limits_by(nothing, SaidSettings(480, 72, 100)) == SessionLimits()
    assert limits_by(SaidSettings(480, 72, 100), nothing) == SessionLimits(timedelta(minutes=480), timedelta(hours=72), 100)


def test_a_password_expires_on_its_day_where_any_does() -> None:
    limits, second = SessionLimits(password_age=timedelta(days=90)), timedelta(seconds=1)
    assert not has_expired(NOON + timedelta(days=90) - second, set_at=NOON, limits=limits)
    assert has_expired(NOON + timedelta(days=90), set_at=NOON, limits=limits)
    assert not has_expired(NOON + timedelta(days=9_000), set_at=NOON, limits=SessionLimits())
    assert not has_expired(NOON, set_at=None, limits=limits)


def test_a_token_has_what_was_chosen_as_long_as_its_maker_has_it() -> None:
    rep, admin = ROLES["rep"], ROLES["agency_admin"]
    check_token_permissions(["customer:read", "user:create"], admin)
    for chosen, held in ((["user:create"], rep), (["password:change"], rep), (["token:create"], admin)):
        with pytest.raises(NotForTokens) as refused:
            check_token_permissions(chosen, held)  # type: ignore[arg-type]
        assert refused.value.details["permissions"] == chosen
    assert grants_of_token(["customer:read", "user:create"], admin) == {
        "customer:read": Scope.AGENCY,
        "user:create": Scope.AGENCY,
    }
    assert grants_of_token(["customer:read", "user:create"], rep) == {"customer:read": Scope.OWN}
    assert grants_of_token(NOT_FOR_TOKENS, admin) == {}


def test_codes_of_the_step_before_and_after_are_taken() -> None:
    assert [step * 30 for step in steps_around(datetime.fromtimestamp(95, UTC))] == [60, 90, 120]


def test_after_five_wrong_codes_none_is_looked_at_for_a_quarter_of_an_hour() -> None:
    failures: list[datetime] = []
    for minute in range(5):
        assert not are_many_codes(NOON + timedelta(minutes=minute), failures)
        failures = with_failure(NOON + timedelta(minutes=minute), failures)
    assert are_many_codes(NOON + timedelta(minutes=14.9), failures)
    assert not are_many_codes(NOON + timedelta(minutes=15), failures)
    assert len(with_failure(NOON, failures)) == 5


def test_before_the_own_password_nothing_else_is_permitted() -> None:
    assert grants_of(["subsystem_admin"], by_code=True) == BEFORE_OWN_PASSWORD
    assert grants_of(["rep"], by_code=False) == ROLES["rep"]


def test_before_a_second_factor_that_is_asked_for_one_may_enrol_it() -> None:
    assert lacks_factor(["rep", "manager"], asked_of=["manager"], is_on=False)
    assert not lacks_factor(["rep", "manager"], asked_of=["manager"], is_on=True)
    assert not lacks_factor(["rep"], asked_of=["manager"], is_on=False)
    assert grants_of(["subsystem_admin"], by_code=False, lacks_factor=True) == BEFORE_SECOND_FACTOR
    assert grants_of(["subsystem_admin"], by_code=True, lacks_factor=True) == BEFORE_OWN_PASSWORD


def test_of_several_roles_the_widest_scope_counts() -> None:
    assert union_of(["rep", "supervisor"])["customer:read"] is Scope.DEPARTMENT
    assert union_of(["supervisor", "rep"])["customer:read"] is Scope.DEPARTMENT


def test_managers_and_nobody_else_oversee_departments() -> None:
    check_managed_departments("manager", [OURS], of_the_agency={OURS})
    check_managed_departments("rep", [], of_the_agency=set())


@pytest.mark.parametrize(
    ("role", "departments", "reason"),
    [
        ("manager", [], "a manager oversees at least one department"),
        ("supervisor", [OURS], "only managers oversee departments"),
        ("manager", [OURS, THEIRS], "a department is not of the user's agency"),
    ],
)
def test_wrong_managed_departments_are_refused_with_the_reason(role: str, departments: list[UUID], reason: str) -> None:
    with pytest.raises(ManagedDepartmentsMissing) as refused:
        check_managed_departments(role, departments, of_the_agency={OURS})
    assert refused.value.details == {"reason": reason}


def test_some_things_are_for_another_administrator_to_do() -> None:
    check_not_oneself(ME, COLLEAGUE)
    with pytest.raises(OwnAccount):
        check_not_oneself(ME, ME)


def test_one_administrator_remains() -> None:
    check_administrator_remains(others=1)
    with pytest.raises(LastAdministrator):
        check_administrator_remains(others=0)


def test_inactivity_counts_from_the_latest_of_adding_log_in_and_restoring() -> None:
    later, latest = NOON + timedelta(days=1), NOON + timedelta(days=2)
    assert active_since(created_at=NOON, last_login_at=None, restored_at=None) == NOON
    assert active_since(created_at=NOON, last_login_at=later, restored_at=None) == later
    assert active_since(created_at=NOON, last_login_at=latest, restored_at=later) == latest
    assert active_since(created_at=NOON, last_login_at=later, restored_at=latest) == latest
    assert inactivity_limit(latest, 2) == NOON


def failed(*minutes_ago: float, in_a_row: int = 0) -> bool:
    recent = [NOON - timedelta(minutes=ago) for ago in minutes_ago]
    return are_many(NOON, recent=recent, in_a_row=in_a_row or len(recent))


def test_five_failures_within_a_quarter_of_an_hour_ask_for_a_captcha() -> None:
    assert not failed()
    assert not failed(4, 3, 2, 1)
    assert failed(14.9, 3, 2, 1, 0)
    assert not failed(15, 3, 2, 1, 0)


def test_slow_guessing_asks_for_a_captcha_at_last() -> None:
    hourly = [300, 240, 180, 120, 60]
    assert not failed(*hourly, in_a_row=FAILURES_IN_A_ROW - 1)
    assert failed(*hourly, in_a_row=FAILURES_IN_A_ROW)


# --- logins

LOGIN = TypeAdapter(Login)


@pytest.mark.parametrize(
    ("typed", "login"),
    [
        ("Zhang.San", "zhang.san"),
        ("  li  ", "li"),
        ("\u3000ｚｈａｎｇ．Ｓａｎ＠ｅｘａｍｐｌｅ\u3000", "zhang.san@example"),
        ("cafe\u0301", "café"),
        ("张三", "张三"),
        ("+86", "+86"),
        ("_7", "_7"),
        ("x" * 80, "x" * 80),
    ],
)
def test_a_login_has_one_spelling_however_it_is_typed(typed: str, login: str) -> None:
    assert re.search(LOGIN_PATTERN, typed.strip())
    assert LOGIN.validate_python(typed) == login


@pytest.mark.parametrize(
    "typed",
    [
        "zhang\u200dsan",
        "zhang\u200csan",
        "zhang\u202esan",
        "zhang\u00adsan",
        "x\u0323\u0301y",
        "ab\ufe0f",
        "ab\u3164",
        "ab\u115f",
        "İz",
    ],
)
def test_what_could_be_hidden_in_a_login_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        LOGIN.validate_python(typed)


@pytest.mark.parametrize("typed", ["..", "@@", "__", "．．", "+-@._", "x", "x" * 81, "ﷺ" * 80, "a b", "a/b", "a\0b", "a\nb", ""])
def test_a_login_is_two_to_eighty_characters_with_a_letter_or_digit(typed: str) -> None:
    with pytest.raises(ValidationError):
        LOGIN.validate_python(typed)


@given(st.one_of(st.text(min_size=1, max_size=12), st.from_regex(LOGIN_PATTERN, fullmatch=True)))
def test_a_login_that_is_taken_agrees_with_its_pattern_and_stays_as_it_is(typed: str) -> None:
    try:
        login = LOGIN.validate_python(typed)
    except ValidationError:
        return
    assert re.search(LOGIN_PATTERN, typed.strip())
    assert re.search(LOGIN_PATTERN, login)
    assert LOGIN.validate_python(login) == login


# --- a flood of log-ins


@pytest.mark.parametrize("password_hash", [None, "of somebody"])
def test_half_of_the_line_is_kept_for_log_ins_with_a_captcha(monkeypatch: pytest.MonkeyPatch, password_hash: str | None) -> None:
    def try_behind(waiting: int, *, has_captcha: bool) -> bool:
        monkeypatch.setattr(offload, "_waiting", waiting)
        captcha_id = uuid4() if has_captcha else None
        command = OpenSession(login="li", password="x", token_digest="0" * 64, captcha_id=captcha_id)
        return is_right(command, password_hash)

    monkeypatch.setattr("services.identity.sessions.matches", lambda password, password_hash: password_hash is not None)
    whole = offload.AT_ONCE * offload.LINE
    assert try_behind(whole // 2 - 1, has_captcha=False) is (password_hash is not None)
    with pytest.raises(CaptchaRequired):
        try_behind(whole // 2, has_captcha=False)
    assert try_behind(whole - 1, has_captcha=True) is (password_hash is not None)
    with pytest.raises(ServiceUnavailable):
        try_behind(whole, has_captcha=True)
