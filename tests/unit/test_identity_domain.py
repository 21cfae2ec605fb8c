"""The decisions of identity."""

import os
import re
import sys
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from eventlet.semaphore import Semaphore
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.contracts.errors import (
    CaptchaRequired,
    DepartmentBelowItself,
    DepartmentFrozen,
    DepartmentMerged,
    LastAdministrator,
    ManagedDepartmentsMissing,
    NotForTokens,
    OwnAccount,
    PasswordRefused,
    ServiceUnavailable,
    TreeTooDeep,
)
from services.contracts.identity import LOGIN_PATTERN, Login, OpenSession
from services.contracts.permissions import NOT_FOR_TOKENS, ROLES, Scope
from services.identity.blocklist import LIST, SIZE, is_common
from services.identity.domain import (
    FAILURES_IN_A_ROW,
    UNSET,
    Inactivity,
    SaidSettings,
    SessionLimits,
    active_since,
    are_forgotten,
    are_many,
    are_many_codes,
    below,
    check_administrator_remains,
    check_managed_departments,
    check_not_oneself,
    check_password,
    check_place,
    check_takes,
    check_token_permissions,
    days_left,
    grants_of_token,
    has_expired,
    inactivity_limit,
    is_back,
    is_live,
    lacks_factor,
    limits_by,
    locked_on,
    others,
    prefixed,
    renamed,
    replaced,
    steps_around,
    strictest,
    wait_after,
    with_failure,
)
from services.identity.sessions import Sessions, is_right
from services.plumbing import offload

KNOWN = ("zhang.san", "张三", None, "san@扬州代理.cn", "+86 138-1234-5678", "扬州代理")

ME, COLLEAGUE = UUID(int=1), UUID(int=2)
OURS, THEIRS = UUID(int=10), UUID(int=11)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_department_carries_its_agencys_name_once() -> None:
    assert prefixed("扬州代理", "一部") == "扬州代理一部"
    assert prefixed("扬州代理", "扬州代理一部") == "扬州代理一部"


@pytest.mark.parametrize(
    ("name", "new_name"),
    [("扬州代理一部", "南京一部"), ("扬州代理", "南京"), ("扬州代理南京二部", "南京二部")],
)
def test_a_department_is_called_after_its_agencys_new_name_once(name: str, new_name: str) -> None:
    assert renamed(name, of="扬州代理", to="南京") == new_name


def test_a_place_is_refused_below_itself_and_too_deep() -> None:
    above, own = [UUID(int=number) for number in range(20, 31)], UUID(int=40)
    path = ".".join(map(str, above))
    assert below(None, own) == str(own)
    assert below(path, own) == f"{path}.{own}"
    check_place(None, department_id=own, levels=12)
    check_place(path, department_id=own, levels=1)
    for levels, parent in ((2, path), (13, None)):
        with pytest.raises(TreeTooDeep):
            check_place(parent, department_id=own, levels=levels)
    for within in (above[0], above[-1]):
        with pytest.raises(DepartmentBelowItself):
            check_place(path, department_id=within)


def test_a_frozen_department_takes_nobody_and_a_merged_one_names_the_other() -> None:
    check_takes(status="active", merged_into_id=None)
    with pytest.raises(DepartmentFrozen):
        check_takes(status="frozen", merged_into_id=None)
    with pytest.raises(DepartmentMerged) as merged:
        check_takes(status="merged", merged_into_id=OURS)
    assert merged.value.details == {"merged_into_id": str(OURS)}


def test_departments_are_named_once_and_home_not_among_the_others() -> None:
    assert others((OURS, THEIRS, OURS), home=THEIRS) == [OURS]
    assert replaced([OURS, ME, THEIRS], old=OURS, new=THEIRS) == [THEIRS, ME]


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


def test_before_a_second_factor_that_is_asked_for_one_may_enrol_it() -> None:
    asked_of = {"manager": ROLES["manager"].keys()}
    assert lacks_factor(["rep", "manager"], held=(), asked_of=asked_of, is_on=False)
    assert not lacks_factor(["rep", "manager"], held=(), asked_of=asked_of, is_on=True)
    assert not lacks_factor(["rep"], held=ROLES["rep"].keys(), asked_of=asked_of, is_on=False)


def test_who_holds_by_other_roles_what_one_with_a_second_factor_permits_needs_it_too() -> None:
    powerful = ROLES["agency_admin"].keys()
    asked_of = {"agency_admin": powerful, "gone": ()}
    assert lacks_factor(["copy"], held=powerful, asked_of=asked_of, is_on=False)
    assert lacks_factor(["half", "other half"], held=powerful | {"customer:claim"}, asked_of=asked_of, is_on=False)
    assert not lacks_factor(["less"], held=powerful - {"user:create"}, asked_of=asked_of, is_on=False)
    assert not lacks_factor(["rep"], held=ROLES["rep"].keys(), asked_of=asked_of, is_on=False)


def test_who_has_a_role_that_counts_on_managed_departments_oversees_some_and_nobody_else() -> None:
    check_managed_departments(["holds", "oversees"], [OURS], of_the_agency={OURS})
    check_managed_departments(["holds"], [], of_the_agency=set())


@pytest.mark.parametrize(
    ("abilities", "departments", "reason"),
    [
        (["oversees"], [], "a role counts on managed departments: name one at least"),
        (["holds"], [OURS], "no role counts on managed departments"),
        (["oversees"], [OURS, THEIRS], "a department is not of the user's agency"),
    ],
)
def test_wrong_managed_departments_are_refused_with_the_reason(
    abilities: list[str], departments: list[UUID], reason: str
) -> None:
    with pytest.raises(ManagedDepartmentsMissing) as refused:
        check_managed_departments(abilities, departments, of_the_agency={OURS})
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


def test_an_account_is_locked_on_the_day_after_so_many_whole_ones() -> None:
    late = datetime(2026, 3, 1, 15, 59, tzinfo=UTC)  # one minute before midnight in Shanghai
    for since in (NOON, late):
        assert days_left(late, since=since, days=2) == 3
        assert days_left(since + timedelta(days=2), since=since, days=2) == 1
        assert days_left(since + timedelta(days=3), since=since, days=2) == 0
    assert days_left(late + timedelta(minutes=2), since=late, days=2) == 2
    assert locked_on(late, 2) == date(2026, 3, 4)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)), st.integers(0, 90), st.integers(1, 60))
def test_who_has_been_active_before_the_limit_has_no_days_left(now: datetime, ago: int, days: int) -> None:
    """Across midnights and the summer times that Shanghai once had."""
    since = now - timedelta(days=ago, minutes=17)
    assert (since < inactivity_limit(now, days)) == (days_left(now, since=since, days=days) <= 0)


def test_an_agency_may_be_stricter_than_headquarters_and_not_laxer() -> None:
    general = Inactivity(60, 10, version=3)
    assert strictest(90, UNSET, UNSET) == (90, 7, 90, "default")
    assert strictest(90, Inactivity(60, None, version=3), UNSET) == (60, 7, 60, "headquarters:3")
    assert strictest(90, general, Inactivity(30, None, version=2)) == (30, 10, 60, "agency:2")
    assert strictest(90, general, Inactivity(80, 3, version=2)) == (60, 3, 60, "headquarters:3")
    assert strictest(90, UNSET, Inactivity(5, None, version=2)) == (5, 5, 90, "agency:2")
    assert strictest(90, UNSET, Inactivity(30, 0, version=2)) == (30, 0, 90, "agency:2")


def test_who_was_restored_after_his_leaving_is_back() -> None:
    assert not is_back(ordered_at=NOON, restored_at=None)
    assert not is_back(ordered_at=NOON, restored_at=NOON - timedelta(days=1))
    assert is_back(ordered_at=NOON, restored_at=NOON + timedelta(seconds=1))


QUARTER = timedelta(minutes=15)


def test_after_five_failures_one_takes_a_captcha_and_after_one_more_ever_longer_waits() -> None:
    assert [are_many(in_a_row) for in_a_row in (0, 4, 5, 100)] == [False, False, True, True]
    minutes = [wait_after(in_a_row, longest=QUARTER) / timedelta(minutes=1) for in_a_row in (0, 5, 6, 7, 8, 9, 10, 11, 99)]
    assert minutes == [0, 0, 1, 2, 4, 8, 15, 15, 15]
    assert wait_after(FAILURES_IN_A_ROW, longest=QUARTER) == wait_after(10**9, longest=QUARTER) == timedelta(days=1)


@pytest.mark.parametrize("pause", [timedelta(), timedelta(minutes=16), timedelta(hours=23, minutes=59)])
def test_however_patient_somebody_is_a_hundred_guesses_are_looked_at_in_a_day(pause: timedelta) -> None:
    """He guesses again as soon as he may, and rests for a while after each hundred."""
    in_a_row, looked_at = 1, [NOON]
    while looked_at[-1] < NOON + timedelta(days=20):
        rest = pause if in_a_row >= FAILURES_IN_A_ROW else timedelta()
        now = looked_at[-1] + wait_after(in_a_row, longest=QUARTER) + rest
        in_a_row = 1 if are_forgotten(now, in_a_row=in_a_row, last_at=looked_at[-1]) else in_a_row + 1
        looked_at.append(now)
    assert in_a_row > FAILURES_IN_A_ROW
    for first, last in zip(looked_at, looked_at[FAILURES_IN_A_ROW:], strict=False):
        assert last - first > timedelta(days=1)


def test_failures_are_forgotten_after_a_day_and_very_many_after_a_month() -> None:
    for in_a_row, kept in ((1, timedelta(days=1)), (99, timedelta(days=1)), (100, timedelta(days=30))):
        assert not are_forgotten(NOON + kept - timedelta(seconds=1), in_a_row=in_a_row, last_at=NOON)
        assert are_forgotten(NOON + kept, in_a_row=in_a_row, last_at=NOON)


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
def test_half_of_the_line_is_kept_for_log_ins_with_a_captcha_or_on_a_known_device(
    monkeypatch: pytest.MonkeyPatch, password_hash: str | None
) -> None:
    def try_behind(waiting: int, *, is_preferred: bool) -> bool:
        monkeypatch.setattr(offload, "_waiting", waiting)
        command = OpenSession(login="li", password="x", token_digest="0" * 64)
        return is_right(command, password_hash, is_preferred=is_preferred)

    monkeypatch.setattr("services.identity.sessions.matches", lambda password, password_hash: password_hash is not None)
    whole = offload.PLACES
    assert try_behind(whole // 2 - 1, is_preferred=False) is (password_hash is not None)
    with pytest.raises(CaptchaRequired):
        try_behind(whole // 2, is_preferred=False)
    assert try_behind(whole - 1, is_preferred=True) is (password_hash is not None)
    with pytest.raises(ServiceUnavailable):
        try_behind(whole, is_preferred=True)


def test_in_a_crowd_who_has_neither_captcha_nor_device_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload, "_waiting", offload.PLACES // 2)
    open_session = Sessions.open_session.__wrapped__  # type: ignore[attr-defined]
    command = OpenSession(login="li", password="x", token_digest="0" * 64)
    nothing_to_ask = None
    with pytest.raises(CaptchaRequired):
        open_session(Sessions(), command, nothing_to_ask)
    with pytest.raises(AttributeError):
        open_session(Sessions(), command.model_copy(update={"device_digest": "1" * 64}), nothing_to_ask)


def test_who_stands_in_a_line_that_does_not_move_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload, "PATIENCE", 0.01)
    monkeypatch.setattr(offload, "_threads", Semaphore(0))
    with pytest.raises(ServiceUnavailable):
        offload.offload(int)
    assert not offload.is_crowded(1 / offload.PLACES)  # he is out of it


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
def test_hashing_ranks_behind_the_process_that_asks_for_it() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    assert offload.offload(os.getpriority, os.PRIO_PROCESS, 0) == offload.NICE
    assert os.getpriority(os.PRIO_PROCESS, 0) == before < offload.NICE
