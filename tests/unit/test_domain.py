"""The decisions of the four services."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.activities.domain import is_effective
from services.contracts.errors import AboveYourRights, PasswordRefused
from services.contracts.permissions import BEFORE_OWN_PASSWORD, ROLES, Scope, union_of
from services.customers.domain import judge_collision, name_key
from services.identity.domain import check_grant, check_password, grants_of, is_live, prefixed
from services.rules.domain import business_day

ME, COLLEAGUE = UUID(int=1), UUID(int=2)
OURS, THEIRS = UUID(int=10), UUID(int=11)


@pytest.mark.parametrize("spelling", ["扬州五环印花厂", "扬州五环 印花厂", " 扬州五环印花厂　", "扬州\u00a0五环印花厂"])
def test_blanks_do_not_make_another_company(spelling: str) -> None:
    assert name_key(spelling) == "扬州五环印花厂"


def test_width_and_case_do_not_make_another_company() -> None:
    assert name_key("ＡＢＣ Ｇｍｂｈ（扬州）") == name_key("abc GMBH(扬州)")


def test_another_name_is_another_company() -> None:
    assert name_key("上海瑞丽服装厂") != name_key("上海锦丽服装厂")


def collide(owner: UUID, agency: UUID) -> tuple[str, str | None, str | None]:
    outcome = judge_collision(
        customer_id=UUID(int=5),
        version=3,
        owner_id=owner,
        owner_name="李四",
        agency_id=agency,
        caller_id=ME,
        caller_agency_id=OURS,
    )
    return outcome.outcome, outcome.reason, outcome.held_by


def test_ones_own_customer_is_bound() -> None:
    assert collide(ME, OURS) == ("bound_to_yours", None, None)


def test_a_colleague_is_named() -> None:
    assert collide(COLLEAGUE, OURS) == ("refused", "held_by_colleague", "李四")


def test_nobody_of_another_agency_is_named() -> None:
    assert collide(COLLEAGUE, THEIRS) == ("refused", "held_by_other_agency", None)


@pytest.mark.parametrize(
    ("maturity", "not_reached", "busy", "counts"),
    [
        (0, False, False, False),
        (2, True, False, False),
        (2, False, True, False),
        (2, False, False, True),
        (1, False, False, True),
    ],
)
def test_an_effective_contact(maturity: int, not_reached: bool, busy: bool, counts: bool) -> None:
    assert is_effective(maturity=maturity, not_reached=not_reached, busy=busy) is counts


def test_a_department_carries_its_agencys_name_once() -> None:
    assert prefixed("扬州代理", "一部") == "扬州代理一部"
    assert prefixed("扬州代理", "扬州代理一部") == "扬州代理一部"


@pytest.mark.parametrize("password", ["elevenchars", "aaaaaaaaaaaaaaaa", "zhang.san forever", "this is a Password 1"])
def test_a_weak_password_is_refused_with_the_reason(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_password(password, login="zhang.san", display_name="张三")
    assert refused.value.details["reason"]


@pytest.mark.parametrize("password", ["all lower case letters", "七個字不夠但這裡有十二個字", "🐟🐠🐡🦈🐙🦑🦐🦞🦀🐚🐬🐳"])
def test_a_long_password_needs_no_kinds_of_characters(password: str) -> None:
    check_password(password, login="zhang.san", display_name="张三")


def test_nobody_grants_in_another_agency_or_above_it() -> None:
    check_grant(Scope.AGENCY, "rep", agency_id=OURS, own_agency_id=OURS, is_headquarters=False)
    check_grant(Scope.ALL, "subsystem_admin", agency_id=OURS, own_agency_id=OURS, is_headquarters=True)
    with pytest.raises(AboveYourRights):
        check_grant(Scope.AGENCY, "rep", agency_id=THEIRS, own_agency_id=OURS, is_headquarters=False)
    with pytest.raises(AboveYourRights):
        check_grant(Scope.AGENCY, "subsystem_admin", agency_id=OURS, own_agency_id=OURS, is_headquarters=True)
    with pytest.raises(AboveYourRights):
        check_grant(Scope.ALL, "subsystem_admin", agency_id=THEIRS, own_agency_id=OURS, is_headquarters=False)


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def live(now: datetime, *, ended: datetime | None = None, used: datetime = NOON) -> bool:
    return is_live(now, used_at=used, expires_at=NOON + timedelta(hours=12), ended_at=ended)


def test_a_session_lives_thirty_idle_minutes_and_twelve_hours() -> None:
    second = timedelta(seconds=1)
    assert live(NOON + timedelta(minutes=30) - second)
    assert not live(NOON + timedelta(minutes=30))
    assert live(NOON + timedelta(hours=12) - second, used=NOON + timedelta(hours=12) - 2 * second)
    assert not live(NOON + timedelta(hours=12), used=NOON + timedelta(hours=12) - second)
    assert not live(NOON + second, ended=NOON)


def test_before_the_own_password_nothing_else_is_permitted() -> None:
    assert grants_of(["subsystem_admin"], by_code=True) == BEFORE_OWN_PASSWORD
    assert grants_of(["rep"], by_code=False) == ROLES["rep"]


def test_of_several_roles_the_widest_scope_counts() -> None:
    assert union_of(["rep", "supervisor"])["customer:read"] is Scope.DEPARTMENT
    assert union_of(["supervisor", "rep"])["customer:read"] is Scope.DEPARTMENT


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2026, 3, 1, 16, 0, tzinfo=UTC), date(2026, 3, 2)),
        (datetime(1988, 7, 1, 15, 0, tzinfo=UTC), date(1988, 7, 2)),  # China had summer time from 1986 to 1991
    ],
)
def test_a_day_is_the_agencys(moment: datetime, day: date) -> None:
    assert business_day(moment) == day
