"""What comes after the ten cases: a web-registered member against its 24 hours, and a customer's way from hand to hand."""

from itertools import pairwise

from demo import told
from demo.api import Person
from demo.cases import Cases

DAY = 24 * 60 * 60


def web_member(cases: Cases) -> None:
    story, cast = cases.story, cases.cast
    name = cases.names.another("苏州", "电子", "有限公司")
    member = cases.pooled(cast.admin, "agency", name, "the agency pool as a web-registered member", source="web")
    assigned = cast.admin.post(f"/customers/{member}/assign", {"to": cast.li.id})
    story.step(cast.admin, "assigns it to 李娜", cases.where(assigned), "held by 李娜")
    story.soon(cast.li, "looks at her day", lambda: countdown(cast.li, member), "1 first contact to make, nearly 24 h left")
    story.soon(cast.supervisor, "looks at the open deadlines", lambda: deadlines(cast.supervisor, member), "李娜: open")
    overdue = cast.supervisor.get("/deadlines?overdue=true")
    story.step(cast.supervisor, "looks at the overdue ones", told.count(len(overdue["items"]), "deadline"), "0 deadlines")
    note = cast.li.note(member, maturity=1, content="首次联系")
    story.step(cast.li, "makes the first contact", told.effectiveness(note), "effective")
    story.soon(cast.li, "looks at her day again", lambda: countdown(cast.li, member), "no first contact to make")


def countdown(who: Person, member: str) -> str:
    waiting = [line for line in who.get("/me/day")["web_members"] if line["customer_id"] == member]
    if not waiting:
        return "no first contact to make"
    left = waiting[0]["seconds_left"]
    return f"1 first contact to make, {'nearly 24' if DAY - 300 < left <= DAY else left / 3600} h left"


def deadlines(who: Person, member: str) -> str:
    found = [line for line in who.pages("/deadlines?state=open") if line["customer_id"] == member]
    return ", ".join(f"{line['owner_name']}: {line['state']}" for line in found)


def hand_to_hand(cases: Cases) -> None:
    story, cast = cases.story, cases.cast
    customer = cases.entered(cast.li, cases.names.another("镇江", "包装"))
    path = f"/customers/{customer}"
    story.step(cast.li, "releases it without a reason", told.problem(cast.li.post(f"{path}/release", {})), "422 invalid-request")
    released = cast.li.post(f"{path}/release", {"reason": "no_budget", "comment": "明年再谈"})
    story.step(cast.li, "releases it with a reason", cases.where(released), "in the agency pool")
    early = cast.zhang.post(f"{path}/claim")
    story.step(cast.zhang, "tries to claim it from the agency pool", told.problem(early), "409 not-claimable")
    opened = cast.admin.post(f"{path}/open")
    story.step(cast.admin, "opens it to the public pool", cases.where(opened), "in the public pool")
    listed = [line["id"] for line in cast.zhang.pages(f"/pools/{cast.pools['public']}/customers")]
    story.step(cast.zhang, "finds it in the public pool", "there" if customer in listed else "not there", "there")
    claimed = cast.zhang.post(f"{path}/claim")
    story.step(cast.zhang, "claims it", cases.where(claimed), "held by 张伟")
    story.step(cast.li, "claims it a moment later", told.problem(cast.li.post(f"{path}/claim")), "409 not-in-pool")
    moved = cast.supervisor.post(f"{path}/transfer", {"to": cast.li.id, "reason": "老客户"})
    story.step(cast.supervisor, "transfers it to 李娜", cases.where(moved), "held by 李娜")
    abroad = cast.supervisor.post(f"{path}/transfer", {"to": cast.zhou.id})
    story.step(cast.supervisor, "tries to transfer it to the other agency", told.problem(abroad), "404 not-found")
    chain = "enter 李娜, release agency pool, open public pool, claim 张伟, transfer 李娜; no gaps"
    story.step(cast.supervisor, "reads who has held it", ownership(cast.supervisor, path), chain)
    events = "customer_entered, customer_moved"
    story.soon(cast.admin, "finds it all in the log", lambda: logged(cast.admin, customer), f"5 entries of {events}")


def ownership(who: Person, path: str) -> str:
    history = sorted(who.pages(f"{path}/ownership", limit=2), key=lambda stretch: stretch["since"])
    told_of = [f"{stretch['cause']} {stretch['owner_name'] or stretch['pool_kind'] + ' pool'}" for stretch in history]
    is_whole = all(earlier["until"] == later["since"] for earlier, later in pairwise(history)) and history[-1]["until"] is None
    return f"{', '.join(told_of)}; {'no gaps' if is_whole else 'GAPS'}"


def logged(who: Person, customer: str) -> str:
    names = [line["name"] for line in who.pages(f"/log?aggregate_id={customer}")]
    return f"{len(names)} entries of {', '.join(sorted(set(names)))}"


def figures(cases: Cases) -> None:
    """The day's figures, as the supervisor sees them for everybody of his department."""
    story, cast = cases.story, cases.cast
    people = {line["person_name"] for line in cast.supervisor.pages("/days")}
    got = "、".join(name for name in ("王建国", "张伟", "李娜", "孙浩", "赵强", "周婷") if name in people)
    story.step(cast.supervisor, "looks at the day of his department", got, "王建国、张伟、李娜")
    day = cast.supervisor.get(f"/people/{cast.zhang.id}/day")
    got = ", ".join(f"{name} {told.figure(day[name])}" for name in ("stock", "effective_contacts", "new_key_customers"))
    held = cast.zhang.get("/customers/count?of=mine")["count"]
    expected = f"stock {held} of 130 (ok), effective_contacts 0 of 35 (open), new_key_customers 1 of 3 (open)"
    story.step(cast.supervisor, "opens the day of 张伟", got, expected)
    hidden = cast.supervisor.get(f"/people/{cast.sun.id}/day")
    story.step(cast.supervisor, "tries the day of somebody of 销售二部", told.problem(hidden), "404 not-found")
    policies = cast.admin.get("/policies")
    limit = f"at most {policies['default_stock_limit']} customers, first contact within {policies['follow_up']['hours']} h"
    story.step(cast.admin, "reads the policies", limit, "at most 130 customers, first contact within 24 h")
    lower = {"subject": "person", "person_id": cast.zhang.id, "limit": 0}
    lowered = cast.admin.ask("PUT", "/policies/stock-limit", lower)
    story.step(cast.admin, "sets 张伟's limit to 0", told.done(lowered, 200, "set"), "set")
    story.soon(cast.zhang, "reads his limit", lambda: str(cast.zhang.get("/me/day")["stock"]["limit"]), "0")
