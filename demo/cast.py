"""Set-up, agencies, departments, people: everybody gets a one-time code and chooses a password of his own."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from demo import told
from demo.api import Api, Person, Unusable
from demo.story import Story

AGENCY, OTHER_AGENCY = "扬州代理", "上海代理"


def new_password() -> str:
    return f"{secrets.token_urlsafe(9)} over the lake"


@dataclass
class Cast:
    """Everybody who plays a part; `run` stands in names that must be unique in the system, empty in a fresh one."""

    api: Api
    headquarters: Person
    run: str
    agencies: dict[str, str] = field(default_factory=dict)
    departments: dict[str, str] = field(default_factory=dict)
    pools: dict[str, str] = field(default_factory=dict)
    admin: Person = field(init=False)
    supervisor: Person = field(init=False)
    zhang: Person = field(init=False)
    li: Person = field(init=False)
    sun: Person = field(init=False)
    manager: Person = field(init=False)
    other_admin: Person = field(init=False)
    zhou: Person = field(init=False)

    def agency(self, name: str) -> str:
        return f"{name}{self.run}"

    def login(self, name: str) -> str:
        return f"{name}{self.run}"


def set_up(story: Story, api: Api, secret: str, login: str, password: str) -> Person:
    """The first administrator of a system that has none."""
    first = {"agency_name": "总部", "login": login, "display_name": "总管", "password": password}
    wrong = api.ask("POST", "/v1/setup", {**first, "secret": "a guess"})
    story.step("somebody", "tries a guessed set-up secret", told.problem(wrong), "403 setup-secret-wrong")
    made = api.ask("POST", "/v1/setup", {**first, "secret": secret})
    story.step("the operator", "sets the system up with the secret", told.done(made, 201, "set up"), "set up")
    again = api.ask("POST", "/v1/setup", {**first, "secret": secret})
    story.step("the operator", "tries it a second time", told.problem(again), "404 setup-closed")
    return log_in(story, api, login, password)


def log_in(story: Story, api: Api, login: str, password: str) -> Person:
    """Headquarters' administrator with a session. Raises Unusable."""
    admin = Person(api, "总管", "headquarters", login)
    opened = admin.log_in(password)
    story.step(admin, "logs in", told.done(opened, 201, "a session"), "a session")
    me = admin.get("/me")
    admin.id, admin.name = me["id"], me["display_name"]
    if "subsystem_admin" not in me["roles"]:
        raise Unusable(f"{login} is no subsystem admin")
    return admin


def gather(story: Story, cast: Cast) -> None:
    """Two agencies, the tree of one of them, nine people."""
    make_agencies(story, cast)
    hire_admins(story, cast)
    make_departments(story, cast)
    hire(story, cast)
    find_pools(story, cast)


def make_agencies(story: Story, cast: Cast) -> None:
    for name in (AGENCY, OTHER_AGENCY):
        made = cast.headquarters.post("/agencies", {"name": cast.agency(name)})
        story.step(cast.headquarters, f"adds the agency {cast.agency(name)}", told.done(made, 201, "added"), "added")
        cast.agencies[name] = made["id"]
        office = add_department(story, cast, cast.headquarters, name, "总经办")
        cast.departments[f"{name}总经办"] = office


def add_department(story: Story, cast: Cast, who: Person, agency: str, name: str) -> str:
    """The system puts the agency's name in front."""
    made = who.post("/departments", {"agency_id": cast.agencies[agency], "name": name})
    full = f"{cast.agency(agency)}{name.removeprefix(cast.agency(agency))}"
    got = str(made["name"]) if made.status == 201 else told.problem(made)
    story.step(who, f"adds the department {name}", got, full)
    return str(made["id"])


def hire_admins(story: Story, cast: Cast) -> None:
    admins = (("admin", "陈晓", "chen.xiao", AGENCY), ("other_admin", "吴敏", "wu.min", OTHER_AGENCY))
    for attribute, name, login, agency in admins:
        department = cast.departments[f"{agency}总经办"]
        setattr(cast, attribute, add_user(story, cast, cast.headquarters, name, login, "agency_admin", department))


def make_departments(story: Story, cast: Cast) -> None:
    cast.departments["一部"] = add_department(story, cast, cast.admin, AGENCY, "销售一部")
    cast.departments["二部"] = add_department(story, cast, cast.admin, AGENCY, f"{cast.agency(AGENCY)}销售二部")
    cast.departments["上海"] = add_department(story, cast, cast.other_admin, OTHER_AGENCY, "销售部")
    foreign = cast.admin.post("/departments", {"agency_id": cast.agencies[OTHER_AGENCY], "name": "分部"})
    story.step(cast.admin, "tries to add one to the other agency", told.problem(foreign), "404 not-found")
    tree = cast.admin.pages("/departments")
    got = "、".join(sorted(found["name"].removeprefix(cast.agency(AGENCY)) for found in tree))
    story.step(cast.admin, "opens the tree to pick departments from", got, "总经办、销售一部、销售二部")


def hire(story: Story, cast: Cast) -> None:
    """The rest, each by his agency's administrator."""
    first, second = cast.departments["一部"], cast.departments["二部"]
    login = cast.login("zhang.wei")
    story.step(cast.admin, f"asks whether the login {login} is free", availability(cast, login), "free")
    cast.zhang = add_user(story, cast, cast.admin, "张伟", "zhang.wei", "rep", first)
    story.step(cast.admin, "asks again", availability(cast, login), "taken")
    again = cast.admin.post("/users", {"login": login.upper(), "roles": ["rep"], "department_id": first})
    story.step(cast.admin, "tries to give it away twice", told.problem(again), "409 login-taken")
    cast.li = add_user(story, cast, cast.admin, "李娜", "li.na", "rep", first)
    cast.supervisor = add_user(story, cast, cast.admin, "王建国", "wang.jianguo", "supervisor", first)
    cast.sun = add_user(story, cast, cast.admin, "孙浩", "sun.hao", "rep", second)
    office = cast.departments[f"{AGENCY}总经办"]
    body = {"login": cast.login("zhao.qiang"), "roles": ["manager"], "department_id": office}
    missing = cast.admin.post("/users", body)
    does = "adds a manager without saying which departments he oversees"
    story.step(cast.admin, does, told.problem(missing), "422 managed-departments-missing")
    cast.manager = add_user(story, cast, cast.admin, "赵强", "zhao.qiang", "manager", office, managed=[first])
    cast.zhou = add_user(story, cast, cast.other_admin, "周婷", "zhou.ting", "rep", cast.departments["上海"])
    above = cast.admin.post("/users", {"login": cast.login("boss"), "roles": ["subsystem_admin"], "department_id": first})
    story.step(cast.admin, "tries to make a subsystem admin", told.problem(above), "403 above-your-rights")
    reset(story, cast)


def availability(cast: Cast, login: str) -> str:
    answer = cast.admin.get(f"/logins/{login}")
    return told.problem(answer) if answer.status != 200 else "free" if answer["is_free"] else "taken"


def add_user(
    story: Story, cast: Cast, who: Person, name: str, login: str, role: str, department: str, managed: Sequence[str] = ()
) -> Person:
    """A user added and logged in with a password of his own; `managed` are the departments that he oversees."""
    body: dict[str, Any] = {"login": cast.login(login), "display_name": name, "roles": [role], "department_id": department}
    body |= {"managed_department_ids": list(managed)} if managed else {}
    made = who.post("/users", body)
    story.step(who, f"adds {name} as {role}", told.done(made, 201, "added, no password yet"), "added, no password yet")
    person = Person(cast.api, name, role.replace("_", " "), cast.login(login), made["id"])
    code = who.post(f"/users/{person.id}/one-time-code")["code"]
    choose_password(story, person, code)
    return person


def choose_password(story: Story, person: Person, code: str) -> None:
    """From a one-time code to a session; with the code alone nothing else is open."""
    opened = person.log_in(code)
    refused = person.get("/customers")
    password = new_password()
    chosen = person.ask("PUT", "/me/password", {"new": password})
    again = person.log_in(password)
    got = ", ".join(
        (
            told.done(opened, 201, "let in by the code"),
            told.problem(refused),
            told.done(chosen, 200, "password chosen"),
            told.done(again, 201, "logged in"),
        )
    )
    expected = "let in by the code, 403 password-change-required, password chosen, logged in"
    story.step(person, "logs in by one-time code, tries to work, chooses a password", got, expected)


def reset(story: Story, cast: Cast) -> None:
    """A forgotten password: the administrator gives a new one-time code and never learns a password."""
    given = cast.admin.post(f"/users/{cast.li.id}/password-reset")
    story.step(cast.admin, "resets the password of 李娜", told.done(given, 201, "a new one-time code"), "a new one-time code")
    ended = cast.li.get("/me")
    story.step(cast.li, "finds her session ended", told.problem(ended), "401 not-authenticated")
    choose_password(story, cast.li, given["code"])


def find_pools(story: Story, cast: Cast) -> None:
    """By kind; those of the other agency under 「other 」."""
    for pool in cast.headquarters.pages("/pools"):
        if pool["agency_id"] == cast.agencies[AGENCY]:
            cast.pools[pool["kind"]] = pool["id"]
        elif pool["agency_id"] == cast.agencies[OTHER_AGENCY]:
            cast.pools[f"other {pool['kind']}"] = pool["id"]
        elif pool["kind"] in ("telesales", "industry"):
            cast.pools.setdefault(pool["kind"], pool["id"])
    got = ", ".join(kind for kind in ("public", "agency", "telesales", "industry") if kind in cast.pools)
    story.step(cast.headquarters, "lists the pools", got, "public, agency, telesales, industry")
    seen = {pool["kind"]: pool["may_claim"] for pool in cast.zhang.pages("/pools")}
    claimable = ", ".join(sorted(kind for kind, may_claim in seen.items() if may_claim))
    story.step(cast.zhang, "sees which pool he may claim from", claimable, "public")
