"""What somebody sees of a customer's fields by his roles, and what he may write into them."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.contracts.customers import CustomerView
from services.contracts.errors import FieldNotEditable
from services.contracts.fields import OVERSEEN, OWN, FieldPolicy, Level, Levels
from services.customers.fields import domain
from services.customers.fields.policy import DEFAULT_POLICY, known_part
from services.customers.fields.sight import Sight, refuse_uneditable, restrict

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)


def policy(**levels: Any) -> FieldPolicy:
    return FieldPolicy.model_validate({"levels": levels})


def seen(known: FieldPolicy, *roles: str, relation: Any = "overseen", may_edit: bool = False) -> Levels:
    return domain.levels_of(known, roles, relation, may_edit=may_edit)


def customer(**fields: Any) -> CustomerView:
    known = dict.fromkeys(CustomerView.model_fields) | {
        "id": uuid4(), "version": 1, "name": "五环", "aliases": [], "bound_names": [], "source": "own", "is_key": False,
        "agency_id": uuid4(), "holding": 1, "held_since": NOW, "entered_by": uuid4(), "entered_at": NOW, "restricted": {},
        "key_criteria": [], "category": "potential", "tags": [], "custom": {},
    }  # fmt: skip
    return CustomerView.model_validate(known | fields)


# --- levels


def test_by_default_ones_own_is_edited_and_ways_to_reach_those_of_others_are_masked() -> None:
    assert seen(DEFAULT_POLICY, "rep", relation="own", may_edit=True) == OWN
    for role in ("supervisor", "manager", "agency_admin", "subsystem_admin", "auditor"):
        assert seen(DEFAULT_POLICY, role) == OVERSEEN


def test_who_may_not_change_customers_edits_nothing() -> None:
    assert set(seen(DEFAULT_POLICY, "rep", relation="own").values()) == {"read"}


def test_several_roles_together_have_the_widest_level_of_each_field() -> None:
    known = policy(
        auditor={"overseen": {"phone": "hidden", "fax": "read"}}, supervisor={"overseen": {"phone": "masked", "fax": "hidden"}}
    )
    both = seen(known, "auditor", "supervisor")
    assert (both["phone"], both["fax"], both["email"]) == ("masked", "read", "masked")


def test_a_role_that_an_agency_has_made_shows_and_reveals_no_more_than_every_role_of_the_policy() -> None:
    assert seen(DEFAULT_POLICY, "made up by an agency") == seen(DEFAULT_POLICY) == OVERSEEN
    known = FieldPolicy.model_validate(
        {
            "levels": {"rep": {"own": {"phone": "masked"}, "overseen": {"phone": "read"}}},
            "reveals_a_day": {"rep": 3, "manager": 9},
        }
    )
    assert seen(known, "made up by an agency") == seen(known) == OVERSEEN
    assert seen(known, "made up by an agency", relation="own")["phone"] == "masked"
    assert seen(known, "rep", "made up by an agency", relation="own", may_edit=True) == OWN | {"phone": "masked"}
    assert seen(known, "rep", "made up by an agency")["phone"] == "read"
    assert domain.reveals_a_day(known, ["rep", "made up by an agency"]) == 3
    assert domain.reveals_a_day(known, []) == 20


def test_what_is_not_given_is_as_by_default() -> None:
    known = FieldPolicy.model_validate({"levels": {"manager": {"own": {"needs": "hidden"}}}, "reveals_a_day": {"manager": 5}})
    assert known.levels["manager"].own == OWN | {"needs": "hidden"}
    assert known.levels["manager"].overseen == OVERSEEN
    assert known.levels["rep"] == DEFAULT_POLICY.levels["rep"]
    assert (known.reveals_a_day["manager"], known.reveals_a_day["rep"]) == (5, 20)


def test_what_only_a_newer_release_knows_is_passed_over() -> None:
    newer = DEFAULT_POLICY.model_dump(mode="json")
    newer["levels"]["archivist"] = {"own": {}, "overseen": {}}
    newer["levels"]["rep"]["overseen"]["shoe_size"] = "read"
    newer["levels"]["rep"]["shared"] = {"phone": "read"}
    newer["reveals_a_day"]["archivist"] = 3
    assert known_part(newer) == DEFAULT_POLICY


def test_the_highest_daily_limit_counts() -> None:
    known = FieldPolicy.model_validate({"reveals_a_day": {"supervisor": 3, "manager": 7}})
    assert domain.reveals_a_day(known, ["supervisor", "manager"]) == 7


def test_a_day_ends_at_midnight_in_shanghai() -> None:
    assert domain.local_day(datetime(2026, 3, 1, 15, 59, tzinfo=UTC)) == date(2026, 3, 1)
    assert domain.local_day(datetime(2026, 3, 1, 16, 0, tzinfo=UTC)) == date(2026, 3, 2)
    assert domain.end_of(date(2026, 3, 1)) == datetime(2026, 3, 1, 16, 0, tzinfo=UTC)


def test_only_what_is_shown_everywhere_may_be_searched() -> None:
    own = seen(policy(supervisor={"own": {"needs": "masked"}}), "supervisor", relation="own", may_edit=True)
    overseen = seen(DEFAULT_POLICY, "supervisor")
    assert domain.searchable([own]) == OWN.keys() - {"needs"}
    assert domain.searchable([own, overseen]) == OWN.keys() - {"needs", "phone", "fax", "email"}


# --- showing


def test_what_is_held_back_is_named() -> None:
    levels: Levels = OVERSEEN | {"needs": "hidden", "contact_person": "masked", "address": "masked"}
    shown = restrict(
        customer(phone="13812341234", email="wang@d.com", needs="三台", contact_person="刘女士", address="文昌路1号", size="20"),
        levels,
    )
    assert (shown.phone, shown.fax, shown.email) == ("138****1234", None, "w***@d.com")
    assert (shown.needs, shown.contact_person, shown.address, shown.size) == (None, "刘**", "****", "20")
    masked = dict.fromkeys(("phone", "fax", "email", "contact_person", "address"), "masked")
    assert shown.restricted == masked | {"needs": "hidden"}


def test_what_is_shown_whole_is_the_view_as_it_is() -> None:
    view = customer(phone="13812341234")
    assert restrict(view, OWN) is view


def test_ones_own_is_what_one_holds() -> None:
    me = uuid4()
    sight = Sight(me, OWN, OVERSEEN)
    assert [sight.of(customer(owner_id=owner)) for owner in (me, uuid4(), None)] == [OWN, OVERSEEN, OVERSEEN]
    assert [sight.of_typed(person) for person in (me, uuid4())] == [OWN, OVERSEEN]


# --- writing


@pytest.mark.parametrize(
    ("level", "old", "new", "is_refused"),
    [
        ("edit", "13812341234", "13912341234", False),
        ("edit", "13812341234", None, False),
        ("edit", "13812341234", "138****1234", True),
        ("edit", "13812341234", "139****9999", True),
        ("edit", None, "138****1234", True),
        ("read", "13812341234", "13912341234", True),
        ("read", "13812341234", None, True),
        ("read", "13812341234", "13812341234", False),
        ("masked", "13812341234", "13812341234", True),
        ("masked", "13812341234", "138****1234", True),
        ("hidden", None, None, True),
    ],
)
def test_a_field_takes_only_what_its_level_allows(level: Level, old: str | None, new: str | None, is_refused: bool) -> None:
    levels: Levels = OWN | {"phone": level}
    if is_refused:
        with pytest.raises(FieldNotEditable) as refused:
            refuse_uneditable(levels, customer(phone=old), {"phone": new, "city": "扬州"})
        assert refused.value.details == {"fields": ["phone"]}
    else:
        refuse_uneditable(levels, customer(phone=old), {"phone": new, "city": "扬州"})


def test_the_mask_of_a_name_or_an_address_is_not_written_back_either() -> None:
    masks = {"contact_person": "刘**", "address": "****", "size": "200"}
    with pytest.raises(FieldNotEditable) as refused:
        refuse_uneditable(OWN, customer(contact_person="刘女士", address="文昌路1号", size="20"), masks)
    assert refused.value.details == {"fields": ["address", "contact_person"]}
