"""Many companies entered at once stand as if each had been entered by itself, whoever else enters at the same moment."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest

from bench.inside import enter_batch, runtime_of
from embedded.stack import Stack
from ops.fsck import check
from services.contracts.base import SERVICES
from services.contracts.customers import CustomerFields
from services.contracts.errors import PoolArchived
from services.contracts.permissions import ROLES
from services.customers.registry.bulk import MOST_ROWS, Entered
from services.plumbing.passport import Caller
from tests.api import Headquarters, Team, brand, company, digits, expect
from tests.conftest import OFTEN
from tests.homes import made_home


@dataclass
class Office:
    """An agency's administrator, who imports into its own pool."""

    stack: Stack
    team: Team
    runtime: Any

    def enter(self, *rows: dict[str, Any], pool_id: str | None = None) -> list[Entered]:
        admin = self.team.admin.user
        own = Caller(admin["id"], UUID(self.team.agency_id), UUID(self.team.department_id), grants=ROLES["agency_admin"])
        fields = [CustomerFields.model_validate(row) for row in rows]
        return enter_batch(self.runtime, own, fields, UUID(pool_id or self.team.pools["agency"]))

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.stack.owner_url("customers")) as owner:
            return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """In a stack of its own, all of whose data is looked at in the end."""
    env = OFTEN | {"QUDAO_SWEEP_EVERY": "1"}
    with Stack(made_home(tmp_path_factory, "bulk"), fast=True, env=env) as stack:
        team = Headquarters.set_up(stack.url, stack.setup_secret).team()
        office = Office(stack, team, runtime_of(stack.database_url("customers")))
        assert office.team.admin.user["id"]
        yield office
        office.runtime.engine.dispose()


def test_what_is_entered_at_once_is_met_by_the_ordinary_check(office: Office) -> None:
    rows = [
        {"name": company(), "aliases": [company()], "phone": f"0514-{digits()}", "fax": f"0514-{digits()}", "city": "扬州"}
        for _ in range(40)
    ]

    entered = office.enter(*rows)

    assert {one.outcome for one in entered} == {"created"}
    for row in rows[::10]:
        for field, value in (("name", row["name"]), ("name", row["aliases"][0]), ("phone", row["phone"]), ("phone", row["fax"])):
            told = office.team.rep.check(**{field: str(value)})
            assert (told["verdict"]["verdict"], told["verdict"]["reason"]) == ("refused", "in_agency_pool")
            assert told["hits"][0]["name"] == row["name"]


def test_a_company_that_is_known_is_not_entered_again_and_the_attempt_is_kept(office: Office) -> None:
    name = company()
    office.team.rep.entered(name, city="扬州")

    [known, other] = office.enter(
        {"name": name.replace("厂", "有限公司"), "city": "扬州", "phone": "13800001234"}, {"name": company()}
    )

    assert (known.outcome, known.customer_id, known.of_row) == ("duplicate", None, None)
    assert known.verdict is not None
    assert (known.verdict.reason, [hit.name for hit in known.hits]) == ("held_by_colleague", [name])
    assert other.outcome == "created"
    kept = office.rows(
        "SELECT a.outcome, a.phone FROM entry_attempt AS a JOIN customer AS c ON c.id = a.customer_id WHERE c.name = %s", name
    )
    assert kept == [("refused", "138****1234")]


def test_a_mail_domain_that_hundreds_share_does_not_hide_the_same_name(office: Office) -> None:
    domain, name = f"{digits()}.example.com", company()
    office.team.rep.entered(name, city="扬州")
    for _ in range(2):
        office.enter(*({"name": f"扬州{brand(6)}机械厂", "email": f"{digits()}@{domain}", "city": "扬州"} for _ in range(210)))

    told = office.team.colleague.check(name=name, city="扬州", email=f"wang@{domain}")

    assert (told["verdict"]["verdict"], told["verdict"]["reason"]) == ("refused", "held_by_colleague")
    assert told["hits"][0]["name"] == name


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"name": "扬州{}印花厂"}, {"name": "扬州市{}印花有限公司"}),
        ({"name": "扬州{}印花厂", "phone": "0514-{n}"}, {"name": "扬州{other}机械厂", "fax": "{n}", "city": "扬州"}),
        ({"name": "扬州{}印花厂", "aliases": ["扬州{other}纺织厂"]}, {"name": "扬州{other}纺织厂"}),
    ],
)
def test_of_a_company_that_comes_twice_in_a_batch_the_first_is_entered(office: Office, first: Any, second: Any) -> None:
    own, other, number = brand(), brand(), digits()

    def filled(row: Any) -> Any:
        return {key: [text.format(own, other=other, n=number) for text in value] if isinstance(value, list) else
                value.format(own, other=other, n=number) for key, value in row.items()}  # fmt: skip

    apart = office.enter({"name": company()}, filled(first), {"name": company()}, filled(second))

    assert [one.outcome for one in apart] == ["created", "created", "created", "duplicate"]
    assert apart[3].of_row == 1
    assert apart[3].hits[0].name == filled(first)["name"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("扬州{}印花厂", "扬州{}印染印花厂"),  # one trade says more
        ("扬州{}印花厂", "扬州{}"),  # without the trade
        ("扬州高邮市{}服装厂", "扬州宝应县{}服装厂"),
        ("扬州{}不锈钢制品有限公司", "{}不锈钢"),  # a short form
        ("扬州{}机电设备厂", "扬州{}机店设备厂"),  # a slip of the pen
    ],
)
def test_those_that_come_near_in_one_batch_are_entered_and_kept_for_review(office: Office, first: str, second: str) -> None:
    own = brand()

    one, other = office.enter({"name": first.format(own), "city": "扬州"}, {"name": second.format(own), "city": "扬州"})

    assert (one.outcome, one.is_for_review) == ("created", False)
    assert (other.outcome, other.is_for_review) == ("created", True)
    kept = office.rows("SELECT seen, reason FROM review_item WHERE customer_id = %s", other.customer_id)
    assert kept == [([one.customer_id], "imported")]


def test_what_is_judged_within_a_batch_is_judged_alike_one_by_one(office: Office) -> None:
    """The same rows under other brands: first as one batch, then each as a batch of its own."""
    shapes = (
        "扬州{}印花厂",
        "扬州{}印花有限公司",
        "扬州{}印染印花厂",
        "{}印花",
        "扬州{}印化厂",
        "扬州{}",
        "扬州{}印花厂宝应分厂",
    )

    at_once, apart = brand(3), brand(3)
    together = office.enter(*({"name": shape.format(at_once), "city": "扬州"} for shape in shapes))
    one_by_one = [office.enter({"name": shape.format(apart), "city": "扬州"})[0] for shape in shapes]

    def told(entered: list[Entered], own: str) -> list[Any]:
        return [(one.outcome, sorted((hit.name.replace(own, ""), hit.effect, hit.score) for hit in one.hits)) for one in entered]

    assert told(together, at_once) == told(one_by_one, apart)
    assert {one.outcome for one in together} == {"created", "duplicate"}


def test_a_row_that_cannot_be_read_hinders_no_other(office: Office) -> None:
    bad, good = office.enter({"name": "有限公司"}, {"name": company()})

    assert (bad.outcome, [wrong["pointer"] for wrong in bad.errors]) == ("invalid", ["/name"])
    assert good.outcome == "created"


def test_a_batch_that_fails_leaves_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("at the very end")

    name = company()
    with monkeypatch.context() as patched:
        patched.setattr("services.plumbing.work.finish", fail)
        with pytest.raises(RuntimeError):
            office.enter({"name": name})

    assert office.rows("SELECT FROM customer WHERE name = %s", name) == []
    assert office.team.rep.check(name=name)["verdict"]["verdict"] == "free"


def test_more_rows_than_fit_are_refused(office: Office) -> None:
    with pytest.raises(ValueError, match="500 are the most"):
        office.enter(*({"name": company()} for _ in range(MOST_ROWS + 1)))


def test_nothing_is_entered_into_a_pool_that_is_no_more(office: Office) -> None:
    admin, name = office.team.admin, company()
    pool_id = admin.post("/v1/pools", {"name": brand(6)})["id"]
    expect(200, admin.request("POST", f"/v1/pools/{pool_id}/archive"))
    with pytest.raises(PoolArchived):
        office.enter({"name": name}, pool_id=pool_id)
    assert office.rows("SELECT FROM customer WHERE name = %s", name) == []


def test_batches_at_once_that_share_companies_enter_each_of_them_once(office: Office) -> None:
    shared = [company() for _ in range(20)]
    batches = [[{"name": name} for name in [*[company() for _ in range(20)], *order]] for order in (shared, shared[::-1]) * 2]
    start = threading.Barrier(len(batches))

    def enter(rows: list[dict[str, Any]]) -> list[Entered]:
        start.wait()
        return office.enter(*rows)

    with ThreadPoolExecutor(len(batches)) as pool:
        entered = list(pool.map(enter, batches))

    outcomes = Counter(
        (row["name"] in shared, one.outcome) for rows, batch in zip(batches, entered, strict=True)
        for row, one in zip(rows, batch, strict=True)
    )  # fmt: skip
    assert outcomes == {(False, "created"): 80, (True, "created"): 20, (True, "duplicate"): 60}
    counted = office.rows("SELECT count(*) FROM customer WHERE name = ANY(%s) GROUP BY name", shared)
    assert counted == [(1,)] * 20


def test_a_batch_and_a_single_entry_at_once_enter_a_company_once(office: Office) -> None:
    names = [company() for _ in range(10)]
    with ThreadPoolExecutor(2) as pool:
        batch = pool.submit(office.enter, *({"name": name} for name in names))
        single = [office.team.rep.enter(name).status_code for name in reversed(names)]

    won = sum(one.outcome == "created" for one in batch.result())
    assert won + single.count(201) == len(names)
    assert set(single) <= {201, 409}


def test_afterwards_all_of_it_is_as_it_must_be(office: Office) -> None:
    expect(200, office.team.admin.act(str(office.enter({"name": company()})[0].customer_id), "open"))

    report = check({service: office.stack.database_url(service) for service in SERVICES}, wait=30)

    assert report.findings == []
