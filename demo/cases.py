"""The ten cases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

from demo import told
from demo.api import Answer, Person
from demo.cast import AGENCY, OTHER_AGENCY, Cast
from demo.names import Names
from demo.story import Story

LIMIT = 130
AT_ONCE = 8

WUHUAN, WUHUAN_TRADITIONAL = "扬州{五环}印花厂", "揚州{五環}印花廠"
PHONE, FAX = "0514-{2398577}", "0514-{2345586}"
RUILI_IN_THE_POOL, RUILI_HELD, JINLI = "上海{瑞丽}服装厂", "上海市{瑞丽}服装有限公司", "上海{锦丽}服装厂"
HUIXIANG = "佛山市南海区里水{惠翔}印刷厂"
IN_TELESALES, IN_AGENCY_POOL, IN_OTHER_PUBLIC_POOL = "东莞市虎门{恒昌}制衣厂", "无锡市{永盛}电器有限公司", "上海{联鑫}塑料制品厂"
DIDI, DIDI_PHONE = "潍坊市{的迪}有限公司", "0536-{8697676}"
YIDONGLI = "泰安{艺动力}彩色印刷厂"
SPELLINGS = (
    *(WUHUAN_TRADITIONAL, "扬州 {五环} 印花厂", "扬州\u3000{五环}\u3000印花厂"),
    *("（扬州）{五环}印花厂", "{五环}印花厂（扬州）", "【扬州】{五环}·印花厂"),
)
TITLES = {
    1: "A company that nobody has is found by nobody, entered, and found",
    2: "The same phone is the same company, however it is typed",
    3: "One twin in the public pool, the other held: the pool does not help",
    4: "In a library or pool that is not for reps: refused, and told whom to ask",
    5: "Held by a colleague: refused, logged, nothing given away",
    6: "Entered twice by the same rep: bound to his own",
    7: "Other spellings are the same company, another brand is not",
    8: "The stock limit holds in every way in, and lets in again at once after a release",
    9: "Which notes are effective contacts",
    10: "Who sees whose customers",
}
TEMPLATES = [
    *(WUHUAN, WUHUAN_TRADITIONAL, PHONE, FAX, RUILI_IN_THE_POOL, RUILI_HELD, JINLI, HUIXIANG),
    *(IN_TELESALES, IN_AGENCY_POOL, IN_OTHER_PUBLIC_POOL, DIDI, DIDI_PHONE, YIDONGLI),
]


class Cases:
    def __init__(self, story: Story, cast: Cast, names: Names) -> None:
        self.story, self.cast, self.names = story, cast, names

    @property
    def all(self) -> dict[int, Callable[[], None]]:
        return {number: getattr(self, f"case_{number}") for number in TITLES}

    # --- what several cases need

    @cached_property
    def wuhuan(self) -> str:
        """The id of the first customer, held by 张伟."""
        fields = {"phone": self.names(PHONE), "fax": self.names(FAX), "is_key": True}
        return self.entered(self.cast.zhang, self.names(WUHUAN), **fields)

    @cached_property
    def ruili(self) -> str:
        return self.pooled(self.cast.admin, "public", self.names(RUILI_IN_THE_POOL), "the public pool")

    def entered(self, who: Person, name: str, **fields: Any) -> str:
        """Somebody enters a new company; its id."""
        answer = who.enter(name, **fields)
        known = "".join(f", {field} {value}" for field, value in fields.items() if field in ("phone", "fax"))
        self.story.step(who, f"enters {name}{known}", told.entry(answer), "created")
        return str(answer["customer_id"])

    def pooled(self, who: Person, pool: str, name: str, where: str, **fields: Any) -> str:
        """Somebody enters a company into a pool; its id."""
        answer = who.post(f"/pools/{self.cast.pools[pool]}/customers", {"name": name, **fields})
        self.story.step(who, f"enters {name} into {where}", told.entry(answer), "created")
        return str(answer["customer_id"])

    def find(self, who: Person, does: str, expected: str, **criteria: str) -> Answer:
        answer = who.check(**criteria)
        self.story.step(who, does, told.check(answer), expected)
        return answer

    # --- the cases

    def case_1(self) -> None:
        zhang, brand = self.cast.zhang, self.names("{五环}")
        phone, fax = self.names("{2398577}"), self.names("{2345586}")
        self.find(zhang, f"searches by the name {brand}", "name 共有 0 个客户: free", name=brand)
        self.find(zhang, f"searches by the phone {phone}", "phone 共有 0 个客户: free", phone=phone)
        self.find(zhang, f"searches by the fax {fax}", "fax 共有 0 个客户: free", fax=fax)
        assert self.wuhuan
        found = zhang.check(name=brand)
        got = f"{told.hits(found)}: {found['hits'][0]['name'] if found['hits'] else 'nothing'}"
        self.story.step(zhang, f"searches {brand} again", got, f"name 共有 1 个客户: {self.names(WUHUAN)}")
        self.find(zhang, f"checks the whole name {self.names(WUHUAN)}", "name 共有 1 个客户: yours", name=self.names(WUHUAN))

    def case_2(self) -> None:
        li, names = self.cast.li, self.names
        assert self.wuhuan
        spellings = ("0514——{2398577}", "(0514){2398577}", "{２３９８５７７}", "+86 514 {2398577} 转801")
        for template in spellings:
            phone = names(template)
            where = {} if "514" in template else {"city": "扬州"}
            asked = f"{phone}{' in the city 扬州' if where else ''}"
            expected = "phone 共有 1 个客户: refused (held_by_colleague), ask 张伟"
            self.find(li, f"searches by the phone {asked}", expected, phone=phone, **where)
            refused = li.enter(names.another(trade="彩印"), phone=phone, **where)
            does = f"enters another name with {asked}"
            self.story.step(li, does, told.entry(refused), "refused (held_by_colleague), ask 张伟")
        elsewhere = names("0515-{2398577}")
        found = li.check(phone=elsewhere)
        got = f"{told.check(found)}, {told.places(found)}"
        expected = "phone 共有 1 个客户: free, colleague (listed)"
        self.story.step(li, f"searches by the same digits of another city, {elsewhere}", got, expected)
        self.entered(li, names.another("盐城", "纺织"), phone=elsewhere)

    def case_3(self) -> None:
        story, cast, names = self.story, self.cast, self.names
        pooled, held = names(RUILI_IN_THE_POOL), names(RUILI_HELD)
        in_pool = self.ruili
        does = f"checks {pooled}, which lies in the public pool alone"
        self.find(cast.zhang, does, "name 共有 1 个客户: claimable", name=pooled)
        story.step(cast.zhang, "enters it without asking for it", told.entry(cast.zhang.enter(pooled)), "claimable")
        claimed = cast.zhang.enter(pooled, claim=True)
        story.step(cast.zhang, "enters it and asks to claim it", told.entry(claimed), "claimed")
        same = "the one of the pool" if claimed["customer_id"] == in_pool else "another one"
        story.step(cast.zhang, "looks at what he was given", same, "the one of the pool")
        released = cast.zhang.post(f"/customers/{in_pool}/release", {"reason": "wrong_territory"})
        story.step(cast.zhang, "releases it again", self.where(released), "in the agency pool")
        opened = cast.admin.post(f"/customers/{in_pool}/open")
        story.step(cast.admin, "opens it to the public pool", self.where(opened), "in the public pool")
        twin = self.pooled(cast.admin, "agency", held, "the agency pool as a twin", keep_twin="两个登记, 待核实")
        assigned = cast.admin.post(f"/customers/{twin}/assign", {"to": cast.li.id})
        story.step(cast.admin, f"assigns {held} to 李娜", self.where(assigned), "held by 李娜")
        expected = "refused (held_by_colleague), ask 李娜"
        for does, claim in (("enters", False), ("asks to claim", True)):
            refused = cast.zhang.enter(pooled, claim=claim)
            story.step(cast.zhang, f"{does} {pooled}, the one in the pool", told.entry(refused), expected)
        refused = cast.zhang.enter(held)
        story.step(cast.zhang, f"enters {held}", told.entry(refused), expected)

    def where(self, answer: Answer) -> str:
        """Where the customer of an answer is held."""
        if answer.status != 200:
            return told.problem(answer)
        if answer["owner_id"]:
            return f"held by {answer['owner_name']}"
        kinds = {pool: kind for kind, pool in self.cast.pools.items()}
        return f"in the {kinds.get(answer['pool_id'], 'unknown')} pool"

    def case_4(self) -> None:
        cast, names = self.cast, self.names
        self.pooled(cast.headquarters, "industry", names(HUIXIANG), "the industry library")
        self.pooled(cast.headquarters, "telesales", names(IN_TELESALES), "the telesales library")
        self.pooled(cast.admin, "agency", names(IN_AGENCY_POOL), "the agency pool")
        self.pooled(cast.other_admin, "other public", names(IN_OTHER_PUBLIC_POOL), "the public pool of the other agency")
        ours, theirs = f", ask {cast.admin.name}", f", ask {cast.agency(OTHER_AGENCY)}"
        messages = {
            reason: self.refused(cast.zhang, name, f"refused ({reason})", asked)
            for reason, name, asked in (
                ("held_by_industry", names(HUIXIANG), None),
                ("held_by_telesales", names(IN_TELESALES), None),
                ("in_agency_pool", names(IN_AGENCY_POOL), ours),
                ("in_other_agency_pool", names(IN_OTHER_PUBLIC_POOL), theirs),
            )
        }
        got = f"{len(set(messages.values()))} different ones"
        self.story.step(cast.zhang, "compares the four messages", got, "4 different ones")

    def refused(self, who: Person, name: str, expected: str, asked: str | None) -> str:
        """An entry that is refused; the message for the rep. `asked` None: whom to ask is not compared."""
        answer = who.enter(name)
        got = told.reason(answer) if asked is None else told.entry(answer)
        self.story.step(who, f"enters {name}", got, expected + (asked or ""))
        message = str(answer["verdict"]["message"])
        self.story.remark(f"“{message}”")
        return message

    def case_5(self) -> None:
        story, cast, name, phone = self.story, self.cast, self.names(DIDI), self.names(DIDI_PHONE)
        customer = self.entered(cast.li, name, phone=phone, contact_person="刘女士")
        refused = cast.zhang.enter(name, phone=phone)
        story.step(cast.zhang, f"enters {name}, phone {phone}", told.entry(refused), "refused (held_by_colleague), ask 李娜")
        story.step(cast.zhang, "reads what he is told of it", self.redacted(refused, customer, phone), "name and place alone")
        by_phone = cast.zhang.enter(self.names.another("潍坊", "贸易", "有限公司"), phone=phone)
        does = "enters another name with the same phone"
        story.step(cast.zhang, does, told.entry(by_phone), "refused (held_by_colleague), ask 李娜")
        abroad = cast.zhou.enter(name)
        expected = f"refused (held_by_other_agency), ask {cast.agency(AGENCY)}"
        story.step(cast.zhou, f"of the other agency enters {name}", told.entry(abroad), expected)
        leaked = "the agency alone" if "李娜" not in str(abroad.body) else "the holder's name"
        story.step(cast.zhou, "reads who holds it", leaked, "the agency alone")
        attempts = [found for found in cast.supervisor.pages("/entry-attempts") if found["name"] == name]
        got = ", ".join(f"{found['person_name']}: {found['outcome']} ({found['reason']})" for found in attempts)
        story.step(cast.supervisor, "finds the attempt in the log", got, "张伟: refused (held_by_colleague)")
        story.step(cast.zhang, "tries to open it", told.problem(cast.zhang.get(f"/customers/{customer}")), "404 not-found")

    def redacted(self, answer: Answer, customer: str, phone: str) -> str:
        told_of = str(answer["hits"])
        leaks = [word for word in (customer, phone, phone.split("-")[1], "刘女士") if word in told_of]
        return f"also {', '.join(leaks)}" if leaks else "name and place alone"

    def case_6(self) -> None:
        story, li, name = self.story, self.cast.li, self.names(YIDONGLI)
        customer = self.entered(li, name)
        again = li.enter(name)
        story.step(li, "enters it a second time", told.entry(again), "bound_to_yours")
        same = "the first one" if again["customer_id"] == customer else "another one"
        story.step(li, "looks which customer it was bound to", same, "the first one")
        for of, expected in (("mine", "1 primary, 0 bound"), ("all", "1 primary, 1 bound to it")):
            lines = [line for line in li.pages(f"/customers?of={of}") if line["name"] == name]
            primary = [line for line in lines if line["id"] == customer and not line["bound_to"]]
            bound = [line for line in lines if line["bound_to"] == customer]
            got = f"{len(primary)} primary, {len(lines) - len(primary)} bound{' to it' if bound else ''}"
            story.step(li, f"lists “{of}”", got, expected)

    def case_7(self) -> None:
        story, cast, names = self.story, self.cast, self.names
        assert self.wuhuan
        assert self.ruili
        for name in map(names, SPELLINGS):
            refused = cast.li.enter(name, city="扬州")
            story.step(cast.li, f"enters {name}", told.entry(refused), "refused (held_by_colleague), ask 张伟")
        letters = f"{names.another(trade='', form='')}ABC电子厂"
        self.entered(cast.zhang, letters)
        wide = letters.replace("ABC", "ＡＢＣ")
        story.step(cast.li, f"enters {wide}", told.entry(cast.li.enter(wide)), "refused (held_by_colleague), ask 张伟")
        self.entered(cast.li, names(JINLI))

    def case_8(self) -> None:
        story, cast, sun = self.story, self.cast, self.cast.sun
        for_claim = self.pooled(cast.admin, "public", self.names.another(), "the public pool")
        for_assignment = self.pooled(cast.admin, "agency", self.names.another(), "the agency pool")
        self.fill(sun)
        figure = lambda: told.figure(sun.get("/me/day")["stock"])  # noqa: E731
        story.soon(sun, "looks at his stock", figure, "130 of 130 (full)")
        story.step(sun, "enters another", told.entry(sun.enter(self.names.another())), "409 stock-is-full")
        claim = sun.post(f"/customers/{for_claim}/claim")
        story.step(sun, "claims one of the public pool", told.problem(claim), "409 stock-is-full")
        assign = cast.admin.post(f"/customers/{for_assignment}/assign", {"to": sun.id})
        story.step(cast.admin, "assigns him another", told.problem(assign), "409 stock-is-full")
        one = sun.get("/customers?limit=1")["items"][0]["id"]
        released = sun.post(f"/customers/{one}/release", {"reason": "no_need"})
        story.step(sun, "releases one", self.where(released), "in the agency pool")
        story.step(sun, "enters another, at once", told.entry(sun.enter(self.names.another())), "created")
        story.step(sun, "enters one more", told.entry(sun.enter(self.names.another())), "409 stock-is-full")

    def fill(self, who: Person) -> None:
        """Enters companies until the stock is full, several at a time."""
        missing = LIMIT - who.get("/customers/count?of=mine")["count"]
        fresh = [self.names.another("南京") for _ in range(missing)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = list(pool.map(lambda name: told.entry(who.enter(name)), fresh))
        got = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
        self.story.step(who, f"enters {missing} companies, {AT_ONCE} at a time", got, f"{missing} created")
        count = who.get("/customers/count?of=mine")["count"]
        self.story.step(who, "counts what he holds", str(count), str(LIMIT))

    def case_9(self) -> None:
        story, li = self.story, self.cast.li
        before = li.get("/me/day")["effective_contacts"]["value"]
        customer = self.entered(li, self.names.another(), is_key=True)
        notes: tuple[tuple[str, dict[str, Any], str], ...] = (
            ("maturity 0", {"maturity": 0}, "not effective"),
            ("maturity 2, not reached", {"maturity": 2, "not_reached": True}, "not effective"),
            ("maturity 2, busy", {"maturity": 2, "busy": True}, "not effective"),
            ("maturity 2", {"maturity": 2}, "effective"),
            ("no maturity", {}, "422 invalid-request"),
        )
        for what, fields, expected in notes:
            story.step(li, f"writes a note: {what}", told.effectiveness(li.note(customer, **fields)), expected)
        written = li.pages(f"/customers/{customer}/notes")
        story.step(li, "lists the notes", told.count(len(written), "note"), "4 notes")
        story.soon(li, "opens the timeline", lambda: self.timeline(li, customer), "4 notes, customer_entered")
        contacts = lambda: told.figure(li.get("/me/day")["effective_contacts"])  # noqa: E731
        story.soon(li, "looks at her effective contacts of the day", contacts, f"{before + 1} of 35 (open)")
        refused = self.cast.supervisor.note(customer, maturity=2)
        does = "writes a note on her customer"
        story.step(self.cast.supervisor, does, told.problem(refused), "403 not-the-owner")

    def timeline(self, who: Person, customer: str) -> str:
        entries = who.pages(f"/customers/{customer}/timeline", limit=3)
        notes = sum(entry["kind"] == "note" for entry in entries)
        events = [entry["event"]["name"] for entry in entries if entry["kind"] == "event"]
        return ", ".join([told.count(notes, "note"), *sorted(set(events) - {"contact_note_written"})])

    def case_10(self) -> None:
        cast = self.cast
        ours = self.entered(cast.zhang, self.names.another())
        theirs = self.entered(cast.sun, self.names.another()) if not self.is_full(cast.sun) else self.first_of(cast.sun)
        people = (
            (cast.zhang, "of 销售一部", True, False),
            (cast.li, "of 销售一部 too", False, False),
            (cast.sun, "of 销售二部", False, True),
            (cast.supervisor, "of 销售一部", True, False),
            (cast.manager, "of 总经办, overseeing 销售一部,", True, False),
            (cast.admin, "of the agency", True, True),
            (cast.other_admin, "of the other agency", False, False),
            (cast.zhou, "of the other agency", False, False),
        )
        for who, part, sees_ours, sees_theirs in people:
            look = partial(self.seen_by, who, ours, theirs)
            self.story.soon(who, f"{part} opens and lists customers of both departments", look, seen(sees_ours, sees_theirs))
            self.story.step(who, "counts what there is to see, and pages through it", self.counted(who), "the same")
        version = cast.zhang.get(f"/customers/{ours}").headers.get("etag", "")
        for who in (cast.li, cast.sun, cast.zhou, cast.other_admin):
            does = "tries to read, change, release, move and annotate 张伟's"
            self.story.step(who, does, self.tried(who, ours), "refused every time")
        after = cast.zhang.get(f"/customers/{ours}")
        got = "as before" if after.headers.get("etag") == version and after["owner_id"] == cast.zhang.id else "changed"
        self.story.step(cast.zhang, "looks at his customer again", got, "as before")

    def is_full(self, who: Person) -> bool:
        return bool(who.get("/customers/count?of=mine")["count"] >= LIMIT)

    def first_of(self, who: Person) -> str:
        return str(who.get("/customers?limit=1")["items"][0]["id"])

    def seen_by(self, who: Person, ours: str, theirs: str) -> str:
        listed = {line["id"] for line in who.pages("/customers?of=visible")}
        shown = [who.get(f"/customers/{customer}").status == 200 for customer in (ours, theirs)]
        if shown != [customer in listed for customer in (ours, theirs)]:
            return "opens others than are listed"
        return seen(*shown)

    def counted(self, who: Person) -> str:
        count, listed = who.get("/customers/count?of=visible")["count"], who.pages("/customers?of=visible", limit=7)
        if len({line["id"] for line in listed}) != len(listed):
            return "repeats on the pages"
        return "the same" if count == len(listed) else f"{count} counted, {len(listed)} on the pages"

    def tried(self, who: Person, customer: str) -> str:
        path = f"/customers/{customer}"
        answers = (
            who.get(path),
            who.get(f"{path}/ownership"),
            who.get(f"{path}/notes"),
            who.get(f"{path}/timeline"),
            who.ask("PATCH", path, {"city": "南京"}, If_Match='"1"'),
            who.post(f"{path}/release", {"reason": "other"}),
            who.note(customer, maturity=2),
            who.post(f"{path}/transfer", {"to": who.id}),
        )
        hidden = {"not-found"}  # of what his role may do with his own; and what it may do with nobody's
        refusals = [hidden] * 4 + [hidden | {"permission-denied"}] * 4
        wrong = [told.problem(answer) for answer, slugs in zip(answers, refusals, strict=True) if answer.slug not in slugs]
        return ", ".join(wrong) or "refused every time"


def seen(ours: bool, theirs: bool) -> str:
    if ours == theirs:
        return "both" if ours else "neither"
    return f"{'销售一部' if ours else '销售二部'}'s alone"
