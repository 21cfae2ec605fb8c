"""What of a half-typed entry is searched already."""

import pytest

from services.contracts.collision import SuggestCollisions
from services.customers.check.checking import searched_already

CODE = "91350100M000100Y43"


def searched(**typed: str | None) -> dict[str, str]:
    query = searched_already(SuggestCollisions(**typed))  # type: ignore[arg-type]
    return query.model_dump(exclude_none=True) if query else {}


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"name": None},
        {"name": ""},
        {"name": " "},
        {"name": "五"},
        {"name": "（）"},
        {"phone": "0"},
        {"phone": "0514-"},
        {"fax": "+86"},
        {"credit_code": CODE[:-1]},
        {"province": "江苏", "city": "扬州"},
        {"name": "五", "phone": "0514-2", "fax": "-", "credit_code": "9"},
    ],
)
def test_what_is_too_short_or_unreadable_is_left_out(typed: dict[str, str | None]) -> None:
    assert searched(**typed) == {}


@pytest.mark.parametrize(
    "typed", [{"name": "五环"}, {"phone": "0514-2398577"}, {"fax": "2398577"}, {"credit_code": CODE}, {"phone": "⑪0"}]
)
def test_what_can_be_read_is_searched(typed: dict[str, str]) -> None:
    assert searched(**typed) == typed


def test_one_field_does_not_wait_for_another() -> None:
    assert searched(name="五环", phone="0514-") == {"name": "五环"}
    assert searched(name="五", phone="2398577", city="扬州", province="") == {"phone": "2398577", "city": "扬州"}
