"""The kinds of objects that are asked for: in which positions to who asks, and how one is made."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from gateway.tokens import digest_of
from tests.api import PASSWORD, brand, company, digits, eventually, expect, unique
from tests.matrix.model import Person, Whose
from tests.matrix.world import CALLERS, COMPANIONS, FIRST, HEAD, MARKET, OFFICE, OTHERS, SALES, THEIRS, Make, World


@dataclass(frozen=True)
class Kind:
    """`places` are the positions for somebody; one is made for each as it is asked for."""

    name: str
    places: Callable[[Person], list[Whose]]
    make: Make


def of(name: str) -> Whose:
    person = OTHERS[name]
    return Whose(f"a {name}", person.agency, person)


PEOPLES = [of(name) for name in ("colleague", "junior", "neighbour", "rival", "head")]


def own(me: Person) -> list[Whose]:
    return [Whose("one's own", me.agency, me)]


def of_people(me: Person) -> list[Whose]:
    """Who holds customers has his own besides."""
    return [*(own(me) if me.holds_customers else []), *PEOPLES]


# --- customers


def customers(me: Person) -> list[Whose]:
    return [
        *of_people(me),
        Whose("the public pool", "ours", kind="public"),
        Whose("the agency pool", "ours", kind="agency"),
        Whose("another agency's public pool", "theirs", kind="public"),
        Whose("another agency's agency pool", "theirs", kind="agency"),
        Whose("the telesales library", "headquarters", kind="telesales"),
    ]


def customer(world: World, whose: Whose) -> dict[str, str]:
    fields = {"name": company(), "phone": f"0514-{digits()}"}
    if whose.owner:
        return {"customer_id": world.client(whose.owner).entered(**fields)}
    entered = world.root.post(f"/v1/pools/{world.pool(whose.agency, whose.kind)}/customers", fields)
    return {"customer_id": entered["customer_id"]}


def with_contact(world: World, whose: Whose) -> dict[str, str]:
    """Before it comes to where it is, as nobody writes in a pool."""
    if whose.owner is None:
        return customer(world, whose) | {"contact_id": "00000000-0000-7000-8000-000000000000"}
    made = customer(world, whose)
    path = f"/v1/customers/{made['customer_id']}/contacts"
    contacts = expect(200, world.client(whose.owner).request("POST", path, {"name": "王小明"}, If_Match='"1"'))
    return made | {"contact_id": contacts["items"][0]["id"]}


def shared(world: World, whose: Whose) -> dict[str, str]:
    """With a colleague who works on it."""
    made = customer(world, whose) | {"person_id": world.id_of(COMPANIONS[whose.agency])}
    if whose.owner:
        path = f"/v1/customers/{made['customer_id']}/collaborators/{made['person_id']}"
        expect(200, world.client(whose.owner).request("PUT", path, {"part": "support", "rights": ["read"]}))
    return made


# --- what comes of entries


def companion_of(world: World, agency: str) -> Any:
    return world.clients[COMPANIONS[agency]]


def review(world: World, whose: Whose) -> dict[str, str]:
    """Of an entry that its person has made although another one comes near."""
    assert whose.owner
    word, who = brand(), world.client(whose.owner)
    companion_of(world, whose.agency).entered(f"扬州市高邮市{word}服装厂")
    name = f"扬州市宝应县{word}服装厂"
    seen = [hit["ref"] for hit in who.enter(name).json()["hits"]]
    entered = expect(201, who.enter(name, confirmation={"seen": seen, "reason": "another county"}))
    return {"review_id": entered["review_id"]}


def refused(world: World, whose: Whose, holder: Person | None) -> dict[str, str]:
    assert whose.owner
    who, name = world.client(whose.owner), company()
    if holder:
        world.client(holder).entered(name)
    else:
        world.root.post(f"/v1/pools/{world.pool(whose.agency, whose.kind)}/customers", {"name": name})
    expect(409, who.enter(name))
    [attempt] = [each for each in who.get("/v1/entry-attempts?limit=200")["items"] if each["name"] == name]
    return {"attempt_id": attempt["id"]}


def attempt(world: World, whose: Whose) -> dict[str, str]:
    return refused(world, whose, OTHERS[COMPANIONS[whose.agency]])


def sides(name: str, claimant: Person, holder: Person | None, kind: str = "") -> Whose:
    return Whose(name, claimant.agency, claimant, holder, kind)


def disputes(me: Person) -> list[Whose]:
    own_ones = [
        sides("one's own", me, OTHERS["companion"]),
        sides("one against oneself", OTHERS["colleague"], me),
    ]
    return [
        *(own_ones if me.holds_customers else []),
        sides("colleagues", OTHERS["colleague"], OTHERS["companion"]),
        sides("a junior against a colleague", OTHERS["junior"], OTHERS["colleague"]),
        sides("a neighbour against a colleague", OTHERS["neighbour"], OTHERS["colleague"]),
        sides("neighbours", OTHERS["neighbour"], OTHERS["neighbour's companion"]),
        sides("a colleague against the agency pool", OTHERS["colleague"], None, "agency"),
        sides("a rival against a colleague", OTHERS["rival"], OTHERS["colleague"]),
        sides("heads", OTHERS["head"], OTHERS["head's companion"]),
        sides("rivals", OTHERS["rival"], OTHERS["rival's companion"]),
    ]


def dispute(world: World, whose: Whose) -> dict[str, str]:
    assert whose.owner
    evidence = [{"kind": "note", "text": "三月谈过"}]
    body = {**refused(world, whose, whose.other), "claim": "我的", "evidence": evidence}
    return {"dispute_id": world.client(whose.owner).post("/v1/disputes", body)["id"]}


def handoffs(me: Person) -> list[Whose]:
    own_ones = [
        sides("one's own", me, OTHERS["companion"]),
        sides("one offered to oneself", OTHERS["colleague"], me),
    ]
    pairs = [sides(f"a {name}", OTHERS[name], OTHERS[f"{name}'s companion"]) for name in ("junior", "neighbour", "head", "rival")]
    return [*(own_ones if me.holds_customers else []), sides("a colleague", OTHERS["colleague"], OTHERS["companion"]), *pairs]


def handoff(world: World, whose: Whose) -> dict[str, str]:
    assert whose.owner
    assert whose.other
    offer = {"to": world.id_of(whose.other.name), "part": "sales"}
    who = world.client(whose.owner)
    return {"handoff_id": who.post(f"/v1/customers/{who.entered()}/handoffs", offer)["id"]}


# --- members

TURNS = Lock()
ADMINS = {"ours": "agency_admin", "theirs": "rival's admin"}


def members(me: Person) -> list[Whose]:
    """Only reps receive members. Those of headquarters for whom there is no agency lie in its pool."""
    people = [whose for whose in PEOPLES if whose.agency != "headquarters"]
    return [
        *(own(me) if me.role == "rep" else []),
        *people,
        Whose("nobody of the agency", "ours"),
        Whose("nobody of headquarters", "headquarters"),
    ]


def member(world: World, whose: Whose) -> dict[str, str]:
    """Received by who is the only one whose turn it can be."""
    told = {"name": company(), "phone": f"0514-{digits()}"}
    if whose.agency == "headquarters":
        return {"member_id": world.root.post("/v1/members", told)["id"]}
    with TURNS:
        set_turns(world, whose.agency, [world.id_of(whose.owner.name)] if whose.owner else [])
        arrived = world.clients[ADMINS[whose.agency]].post("/v1/members", told)
        set_turns(world, whose.agency, None)
    assert arrived["person_id"] == (world.id_of(whose.owner.name) if whose.owner else None)
    return {"member_id": arrived["id"]}


def set_turns(world: World, agency: str, assignees: list[str] | None) -> None:
    path = f"/v1/territories/{world.agencies[agency]}"
    version = world.root.get(path)["version"]
    eventually(
        lambda: world.root.request("PUT", path, {"assignees": assignees}, If_Match=f'"{version}"').status_code,
        until=lambda status: status == 200,
    )


# --- what is an agency's


def agencies(me: Person) -> list[Whose]:
    return [Whose("our agency", "ours"), Whose("headquarters", "headquarters"), Whose("another agency", "theirs")]


DEPARTMENTS = {"ours": SALES, "theirs": THEIRS, "headquarters": HEAD}


def agency(world: World, whose: Whose) -> dict[str, str]:
    return {"agency_id": world.agencies[whose.agency], "department_id": world.departments[DEPARTMENTS[whose.agency]]}


def source(world: World, whose: Whose) -> dict[str, str]:
    body = {"name": "官网", "agency_id": world.agencies[whose.agency]}
    return {"source_id": world.root.post("/v1/member-sources", body)["id"]}


def pools(me: Person) -> list[Whose]:
    return [
        Whose("the public pool", "ours", kind="public"),
        Whose("the agency pool", "ours", kind="agency"),
        Whose("an open pool", "ours", kind="open"),
        Whose("a closed pool", "ours", kind="closed"),
        Whose("another agency's public pool", "theirs", kind="public"),
        Whose("another agency's open pool", "theirs", kind="open"),
        Whose("another agency's closed pool", "theirs", kind="closed"),
        Whose("the telesales library", "headquarters", kind="telesales"),
        Whose("headquarters' open pool", "headquarters", kind="open"),
    ]


def pool(world: World, whose: Whose) -> dict[str, str]:
    is_custom = whose.kind in ("open", "closed")
    return {"pool_id": world.new_pool(whose.agency, whose.kind) if is_custom else world.pool(whose.agency, whose.kind)}


def with_members(me: Person) -> list[Whose]:
    return [whose for whose in pools(me) if whose.kind != "open"]


# --- what is a person's


def view(world: World, whose: Whose) -> dict[str, str]:
    assert whose.owner
    body = {"name": unique("v"), "filter": {}, "is_shared": True}
    return {"view_id": world.client(whose.owner).post("/v1/saved-views", body)["id"]}


def account(role: str, department: str) -> Whose:
    person = Person(f"account of {department}", role, department)
    return Whose(f"a {role} of {department}", person.agency, person)


def accounts(me: Person) -> list[Whose]:
    """Without a password as yet, but for one's own."""
    return [
        account("rep", SALES),
        *own(me),
        account("rep", FIRST),
        account("rep", MARKET),
        account("agency_admin", OFFICE),
        account("rep", HEAD),
        account("subsystem_admin", HEAD),
        account("rep", THEIRS),
    ]


def user(world: World, whose: Whose) -> dict[str, str]:
    assert whose.owner
    if whose.owner.name in world.clients:
        return {"user_id": world.id_of(whose.owner.name)}
    return {"user_id": world.headquarters.add_user(whose.owner.role, world.departments[whose.owner.department])["id"]}


def person(world: World, whose: Whose) -> dict[str, str]:
    assert whose.owner
    return {"person_id": world.id_of(whose.owner.name)}


def everybody(me: Person) -> list[Whose]:
    return [*own(me), *PEOPLES]


def session(world: World, whose: Whose) -> dict[str, str]:
    """A second one of his."""
    assert whose.owner
    digest = digest_of(world.logged_in(whose.owner).token)
    session_id = world.databases.value("identity", "SELECT id FROM session WHERE token_digest = %s", digest)
    return {"user_id": world.id_of(whose.owner.name), "session_id": str(session_id)}


def tokens(me: Person) -> list[Whose]:
    """Only administrators make some."""
    makers = [CALLERS["agency_admin"], CALLERS["subsystem_admin"], OTHERS["rival's admin"]]
    others = [Whose(f"a {maker.name}", maker.agency, maker) for maker in makers if maker != me]
    return [*(own(me) if me.may("token:create") else []), *others]


def token(world: World, whose: Whose) -> dict[str, str]:
    assert whose.owner
    body = {"name": unique("t"), "permissions": ["customer:read"], "days": 1, "current": PASSWORD}
    return {"token_id": world.client(whose.owner).post("/v1/me/tokens", body)["token"]["id"]}


# --- rights and groups


def role(world: World, whose: Whose) -> dict[str, str]:
    grants = [{"permission": "customer:read", "scope": "own"}]
    body = {"name": unique("岗"), "agency_id": world.agencies[whose.agency], "grants": grants}
    return {"role_id": world.root.post("/v1/roles", body)["id"]}


def grant(world: World, whose: Whose) -> dict[str, str]:
    """On somebody's records, to a colleague of his."""
    assert whose.owner
    body = {"permission": "customer:read", "person_id": world.id_of(whose.owner.name)}
    user_id = world.companion(whose.agency)
    return {"user_id": user_id, "grant_id": world.root.post(f"/v1/users/{user_id}/grants", body)["id"]}


def groups(me: Person) -> list[Whose]:
    """One's own: whose admin one is, which for administrators makes no difference."""
    return [*(own(me) if me.may("group:manage", "own") else []), *agencies(me)]


def group(world: World, whose: Whose) -> dict[str, str]:
    body = {"name": unique("组"), "agency_id": world.agencies[whose.agency]}
    group_id = world.root.post("/v1/groups", body)["id"]
    companion = world.companion(whose.agency)
    rights = ["change_rights", "manage_members"]
    expect(200, world.root.request("PUT", f"/v1/groups/{group_id}/members/{companion}"))
    for person_id in (companion, *([world.id_of(whose.owner.name)] if whose.owner else [])):
        expect(200, world.root.request("PUT", f"/v1/groups/{group_id}/admins/{person_id}", {"rights": rights}))
    return {"group_id": group_id}


# --- what may be ended


def spare_agencies(me: Person) -> list[Whose]:
    """Of nobody who asks."""
    return [Whose("a spare agency", "spare"), Whose("another spare agency", "spare")]


def spare_agency(world: World, whose: Whose) -> dict[str, str]:
    return {"agency_id": world.headquarters.agency()["id"]}


def department(world: World, whose: Whose) -> dict[str, str]:
    made = world.headquarters.department(world.agencies[whose.agency])["id"]
    return {"department_id": made, "other_department_id": world.departments[DEPARTMENTS[whose.agency]]}


def leavers(me: Person) -> list[Whose]:
    return [account("rep", department) for department in (SALES, FIRST, MARKET, HEAD, THEIRS)]


def leaving(world: World, whose: Whose) -> dict[str, str]:
    """Of somebody who held a customer and worked in a pool."""
    assert whose.owner
    leaver = world.headquarters.person(whose.owner.role, world.departments[whose.owner.department])
    user_id = leaver.user["id"]
    leaver.entered()
    expect(200, world.root.request("PUT", f"/v1/pools/{world.pool(whose.agency, 'closed')}/members/{user_id}", {}))
    return {"leaving_id": world.root.post(f"/v1/users/{user_id}/leaving", {}, status=202)["id"]}


KINDS = {
    kind.name: kind
    for kind in (
        Kind("nothing", lambda me: [Whose("", "")], lambda world, whose: {}),
        Kind("account", accounts, user),
        Kind("agency", agencies, agency),
        Kind("attempt", of_people, attempt),
        Kind("customer", customers, customer),
        Kind("customer with a contact", customers, with_contact),
        Kind("department", agencies, department),
        Kind("dispute", disputes, dispute),
        Kind("grant", everybody, grant),
        Kind("group", groups, group),
        Kind("handoff", handoffs, handoff),
        Kind("leaving", leavers, leaving),
        Kind("member", members, member),
        Kind("person", everybody, person),
        Kind("pool", pools, pool),
        Kind("pool with a member", with_members, pool),
        Kind("review", of_people, review),
        Kind("role", agencies, role),
        Kind("session", everybody, session),
        Kind("shared customer", customers, shared),
        Kind("source", agencies, source),
        Kind("spare agency", spare_agencies, spare_agency),
        Kind("token", tokens, token),
        Kind("view", everybody, view),
    )
}
