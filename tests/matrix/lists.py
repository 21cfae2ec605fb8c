"""What each list must show to whom: the rows that are there, taken from the tables, and who sees one of them, by the model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.contracts.permissions import ROLES
from tests.matrix.model import DONE, Person, Rule, Whose, reaches, see_dispute, see_handoff, sees_pool
from tests.matrix.world import PEOPLE, SALES, World


@dataclass(frozen=True)
class Fact:
    """A row of a list: what the list calls it, whose it is, and what else tells who sees it."""

    key: str
    agency: str
    owner: Person | None = None
    other: Person | None = None
    kind: str = ""

    @property
    def whose(self) -> Whose:
        return Whose("", self.agency, self.owner, self.other, self.kind)


Sees = Callable[[Person, Fact], bool]


@dataclass(frozen=True)
class List:
    """`facts` selects key, agency and owner, and as far as it is needed the other person and a kind; `of` fills in the path.

    `key` is the member of an item that tells it from the others.
    """

    route: str
    sees: Sees
    service: str
    facts: str
    query: str = ""
    key: str = "id"
    of: Callable[[World], dict[str, str]] = lambda world: {}

    @property
    def name(self) -> str:
        return f"{self.route}{self.query}"


def within(permission: str) -> Sees:
    return lambda me, fact: reaches(me, permission, fact.owner, fact.agency)


def of_agency(permission: str) -> Sees:
    """Of everybody in it."""
    return lambda me, fact: me.may(permission, "all") or (me.may(permission) and fact.agency == me.agency)


def of_customers(permission: str) -> Sees:
    """Wherever their customer is read."""
    return lambda me, fact: me.may(permission) and reaches(me, "customer:read", fact.owner, fact.agency)


def with_right(permission: str) -> Sees:
    """For what is no agency's."""
    return lambda me, fact: me.may(permission)


def own(me: Person, fact: Fact) -> bool:
    return fact.owner == me


def own_tokens(me: Person, fact: Fact) -> bool:
    """A program sees none."""
    return me.may("token:read") and own(me, fact)


def saved(me: Person, fact: Fact) -> bool:
    return fact.owner == me or (fact.kind == "shared" and fact.agency == me.agency)


def role(me: Person, fact: Fact) -> bool:
    """Besides the agency's, those that are made for all."""
    return me.may("role:read") and (fact.kind == "common" or of_agency("role:read")(me, fact))


def audited(me: Person, fact: Fact) -> bool:
    """What he did himself, or all in his agency."""
    return within("audit:read")(me, fact)


def by(rule: Rule, permission: str) -> Sees:
    return lambda me, fact: me.may(permission) and rule(me, fact.whose, permission) == DONE


def a_customer(world: World) -> dict[str, str]:
    """One that a colleague holds, and on which a colleague works with him."""
    [ids] = [ids for (kind, whose), ids in world.made.items() if (kind, whose.name) == ("shared customer", "a colleague")]
    return ids


def open_pool(world: World) -> dict[str, str]:
    return {"pool_id": world.pool("ours", "open")}


def closed_pool(world: World) -> dict[str, str]:
    return {"pool_id": world.pool("ours", "closed")}


def made(kind: str, *positions: str) -> Callable[[World], dict[str, str]]:
    """What was made of a kind in one of these positions."""

    def of(world: World) -> dict[str, str]:
        return next(ids for (name, whose), ids in world.made.items() if name == kind and whose.name in positions)

    return of


def an_administrator(world: World) -> dict[str, str]:
    return {"user_id": world.id_of("agency_admin")}


CUSTOMERS = "SELECT id, agency_id, owner_id FROM customer"
DISPUTES = """
    SELECT id, CASE WHEN holder_id IS NULL THEN holder_agency_id ELSE agency_id END, claimant_id, holder_id FROM dispute
"""
HANDOFFS = "SELECT id, agency_id, from_id, to_id FROM handoff"
POOLS = """
    SELECT id, agency_id, NULL, NULL, CASE WHEN kind <> 'custom' THEN kind
        WHEN EXISTS (SELECT FROM pool_member WHERE pool_id = pool.id AND NOT is_admin) THEN 'closed' ELSE 'open' END
    FROM pool WHERE archived_at IS NULL
"""
MEMBERS_OF_POOL = "SELECT person_id, agency_id, NULL, NULL, 'closed' FROM pool_member WHERE pool_id = %(pool_id)s"
VIEWS = "SELECT id, agency_id, person_id, NULL, CASE WHEN is_shared THEN 'shared' END FROM saved_view"
HOLDERS = "SELECT id, agency_id, id FROM person WHERE status = 'active' AND 'holds' = ANY(abilities)"
DEADLINES = "SELECT id, agency_id, owner_id FROM deadline WHERE received_at IS NOT NULL AND due_at IS NOT NULL"
NOTES = "SELECT id, agency_id, author_id FROM contact_note WHERE customer_id = %(customer_id)s"
HAPPENED = """
    SELECT id, agency_id, author_id FROM contact_note WHERE customer_id = %(customer_id)s
    UNION ALL SELECT id, agency_id, actor::uuid FROM log_entry WHERE aggregate_id = %(customer_id)s
"""


TOKENS = """
    SELECT api_token.id, agency_id, person_id FROM api_token JOIN person ON person.id = person_id
"""
MADE_ROLES = """
    SELECT id::text, agency_id, NULL, NULL, CASE WHEN is_common THEN 'common' END FROM role WHERE archived_at IS NULL
"""
ALL_ROLES = " UNION ALL ".join([MADE_ROLES, *(f"SELECT '{name}', NULL, NULL, NULL, 'common'" for name in sorted(ROLES))])


ITEMS = """
    SELECT item.id, item.agency_id, person_id FROM handover_item AS item JOIN handover ON handover.id = handover_id
"""


def of_customer(key: str, table: str) -> str:
    whose = "customer.agency_id, customer.owner_id"
    joined = f"{table} JOIN customer ON customer.id = customer_id"
    return f"SELECT {key}, {whose} FROM {joined} WHERE customer_id = %(customer_id)s"  # noqa: S608 names of our own tables


def of_person(table: str) -> str:
    return f"SELECT id, agency_id, person_id FROM {table}"  # noqa: S608 as above


def of_nobody(table: str) -> str:
    return f"SELECT id, agency_id FROM {table}"  # noqa: S608 as above


CUSTOMER = "GET /v1/customers/{customer_id}"
POOL = "GET /v1/pools/{pool_id}"

LISTS = [
    List("GET /v1/customers", own, "customers", CUSTOMERS),
    List("GET /v1/customers", own, "customers", CUSTOMERS, query="?of=all"),
    List("GET /v1/customers", within("customer:read"), "customers", CUSTOMERS, query="?of=visible"),
    List("GET /v1/customers", within("customer:read"), "customers", CUSTOMERS, query="?of=visible&sort=held"),
    List(
        "GET /v1/customers",
        within("customer:read"),
        "customers",
        f"{CUSTOMERS} WHERE name LIKE '%%服装厂'",
        query="?of=visible&q=服装厂",
    ),
    List(
        f"{CUSTOMER}/changes",
        within("customer:read"),
        "customers",
        of_customer("customer_change.version", "customer_change"),
        key="version",
        of=a_customer,
    ),
    List(
        f"{CUSTOMER}/ownership",
        within("customer:read"),
        "customers",
        of_customer("number", "ownership"),
        key="holding",
        of=a_customer,
    ),
    List(
        f"{CUSTOMER}/collaborators",
        within("customer:read"),
        "customers",
        of_customer("person_id", "collaborator"),
        key="person_id",
        of=a_customer,
    ),
    List(f"{CUSTOMER}/notes", of_customers("note:read"), "activities", NOTES, of=a_customer),
    List(f"{CUSTOMER}/timeline", of_customers("note:read"), "activities", HAPPENED, of=a_customer),
    List("GET /v1/entry-attempts", within("attempt:read"), "customers", of_person("entry_attempt")),
    List("GET /v1/reviews", within("review:read"), "customers", of_person("review_item")),
    List("GET /v1/disputes", by(see_dispute, "dispute:read"), "customers", DISPUTES),
    List("GET /v1/handoffs", by(see_handoff, "handoff:read"), "customers", HANDOFFS, query="?of=visible"),
    List("GET /v1/members", within("member:read"), "customers", of_person("member_arrival")),
    List("GET /v1/member-sources", of_agency("member:configure"), "customers", of_nobody("member_source")),
    List("GET /v1/pools", by(sees_pool, "pool:read"), "customers", POOLS),
    List(
        f"{POOL}/customers",
        of_agency("pool:read"),
        "customers",
        f"{of_nobody('customer')} WHERE pool_id = %(pool_id)s",
        of=open_pool,
    ),
    List(f"{POOL}/members", by(sees_pool, "pool:read"), "customers", MEMBERS_OF_POOL, of=closed_pool),
    List("GET /v1/reveals", within("reveal:read"), "customers", of_person("reveal")),
    List(
        "GET /v1/collision-rules/versions",
        with_right("collision:configure"),
        "customers",
        "SELECT version FROM collision_rules",
        key="version",
    ),
    List(
        "GET /v1/field-policy/versions",
        with_right("field:configure"),
        "customers",
        "SELECT version FROM field_policy",
        key="version",
    ),
    List("GET /v1/saved-views", saved, "customers", VIEWS),
    List("GET /v1/roles", role, "identity", ALL_ROLES),
    List(
        "GET /v1/users/{user_id}/grants",
        within("grant:read"),
        "identity",
        f"{of_person('row_grant')} WHERE person_id = %(user_id)s AND withdrawn_at IS NULL",
        of=made("grant", "a colleague"),
    ),
    List("GET /v1/groups", of_agency("group:read"), "identity", f"{of_nobody('sales_group')} WHERE NOT is_dissolved"),
    List("GET /v1/me/tokens", own_tokens, "identity", TOKENS),
    List(
        "GET /v1/users/{user_id}/tokens",
        within("token:read"),
        "identity",
        f"{TOKENS} WHERE person_id = %(user_id)s",
        of=an_administrator,
    ),
    List("GET /v1/leavings", within("leaving:read"), "identity", of_person("leaving")),
    *(
        List(
            f"GET /v1/leavings/{{leaving_id}}/{part}",
            within("leaving:read"),
            "customers",
            f"{ITEMS} WHERE handover_id = %(leaving_id)s AND kind {sign} 'customer'",
            of=made("leaving", f"a rep of {SALES}"),
        )
        for part, sign in (("customers", "="), ("others", "<>"))
    ),
    List(
        "GET /v1/audit",
        audited,
        "identity",
        "SELECT id, agency_id, actor FROM audit WHERE operation = 'identity.update_user' AND result = 'denied'",
        query="?service=identity&operation=identity.update_user&result=denied",
    ),
    List("GET /v1/agencies", of_agency("agency:read"), "identity", "SELECT id, id FROM agency"),
    List("GET /v1/departments", of_agency("department:read"), "identity", of_nobody("department")),
    List("GET /v1/users", of_agency("user:read"), "identity", of_nobody("person")),
    List(
        "GET /v1/users",
        of_agency("user:read"),
        "identity",
        f"{of_nobody('person')} WHERE status = 'disabled'",
        query="?status=disabled",
    ),
    List("GET /v1/days", within("day:read"), "identity", HOLDERS),
    List("GET /v1/deadlines", within("deadline:read"), "rules", DEADLINES),
    List("GET /v1/log", of_agency("log:read"), "activities", of_nobody("log_entry")),
]


class Reader:
    """Turns rows into facts of the model."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.agencies = {id_: agency for agency, id_ in world.agencies.items()}
        departments = {id_: path for path, id_ in world.departments.items()}
        known = {world.id_of(name): person for name, person in PEOPLE.items()}
        rows = world.databases.rows("identity", "SELECT id, roles[1], department_id, agency_id FROM person")
        self.people = {
            str(id_): known.get(str(id_)) or Person(str(id_), role, departments.get(str(department), f"{self.agency(agency)}/?"))
            for id_, role, department, agency in rows
        }

    def agency(self, agency_id: Any) -> str:
        """Those that were added while asking are nobody's of the world."""
        return self.agencies.get(str(agency_id), str(agency_id))

    def facts(self, listed: List, ids: dict[str, str]) -> list[Fact]:
        query = listed.facts
        for name, value in ids.items():
            query = query.replace(f"%({name})s", f"'{value}'")
        return [self.fact(*row) for row in self.world.databases.rows(listed.service, query)]

    def fact(self, key: Any, agency: Any = None, owner: Any = None, other: Any = None, kind: str | None = None) -> Fact:
        people = (self.people.get(str(each)) if each else None for each in (owner, other))
        return Fact(str(key), self.agency(agency), *people, kind or "")


def misshown(listed: List, me: Person, reader: Reader) -> list[str]:
    """What a list shows to somebody and should not, and what it keeps from him, page by page."""
    ids = listed.of(reader.world)
    path = listed.route.split()[1].format(**ids) + listed.query
    expected = {fact.key for fact in reader.facts(listed, ids) if listed.sees(me, fact)}
    answer = reader.world.client(me).request("GET", path)
    if answer.status_code in (403, 404):
        return [f"{me.name}: {listed.name} keeps all of {len(expected)}"] * bool(expected)
    items = [str(item[listed.key]) for item in reader.world.client(me).pages(path, limit=40)]
    wrong = [f"{me.name}: {listed.name} shows {key}" for key in sorted(set(items) - expected)]
    wrong += [f"{me.name}: {listed.name} keeps {key}" for key in sorted(expected - set(items))]
    return wrong + [f"{me.name}: {listed.name} repeats a row"] * (len(items) > len(set(items)))
