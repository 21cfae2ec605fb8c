"""A person's day and a team's: figures against what the rules ask for."""

from typing import Any

from services.contracts import rules as contract
from services.contracts.base import Page
from services.contracts.errors import OutOfScope
from services.directory.models import Person
from services.directory.scopes import has_within
from services.directory.service import known_person
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.rules import deadline_queries, deadlines, domain, policies, queries

MOST_MEMBERS = 200
"""The most urgent ones that a day shows; all are in the list of deadlines."""


def show_day(query: contract.AskDay, call: Call) -> contract.DayView:
    """Raises NotFound for somebody unknown, OutOfScope for somebody beyond the caller's reach."""
    person = known_person(call, query.person_id or call.user_id)
    is_holder = "holds" in person.abilities
    with call.reading() as session:
        if person.id != call.user_id and not queries.is_within(session, person.id, reach(call)):
            raise OutOfScope()
        now = business_time(session)
        day = query.day or domain.business_day(now)
        figures = queries.figures_of(session, [person.id], day, now)[person.id]
        allowance = policies.allowances_of(session, Person.id == person.id)[person.id]
        members = deadline_queries.list_open(session, person.id, MOST_MEMBERS)
    return contract.DayView(
        person_id=person.id,
        person_name=person.display_name,
        day=day,
        time_zone=domain.TIME_ZONE,
        entered=contract.Figure(value=figures.entered),
        contacts=contract.Figure(value=figures.contacts),
        web_members=[deadlines.view(row, now) for row in members],
        **(judged(figures, allowance.limit, is_over=day < domain.business_day(now)) if is_holder else unjudged(figures)),
    )


def list_days(query: contract.ListDays, call: Call) -> Page[contract.TeamDay]:
    after = paging.decode_id(query.cursor)
    with call.reading() as session:
        now = business_time(session)
        day = query.day or domain.business_day(now)
        people = queries.list_holders(session, reach(call), after, query.limit + 1)
        ids = [person.id for person in people]
        figures = queries.figures_of(session, ids, day, now)
        allowances = policies.allowances_of(session, Person.id.in_(ids))
    lines = [
        contract.TeamDay(
            id=person.id,
            person_name=person.display_name,
            department_id=person.department_id,
            open_web_members=figures[person.id].open_members,
            overdue_web_members=figures[person.id].overdue_members,
            **judged(figures[person.id], allowances[person.id].limit, is_over=day < domain.business_day(now)),
        )
        for person in people
    ]
    return paging.page(Page[contract.TeamDay], lines, query.limit)


def reach(call: Call) -> Any:
    return has_within(call.scope, call.caller, Person)


def judged(figures: queries.DayFigures, limit: int, *, is_over: bool) -> dict[str, contract.Figure]:
    """What rules say something about."""
    effective, new_keys = figures.effective_contacts, figures.new_key_customers
    return {
        "stock": domain.against_most(figures.stock, limit),
        "effective_contacts": domain.against_least(effective, domain.MIN_EFFECTIVE_CONTACTS, is_over=is_over),
        "new_key_customers": domain.against_least(new_keys, domain.MIN_NEW_KEY_CUSTOMERS, is_over=is_over),
    }


def unjudged(figures: queries.DayFigures) -> dict[str, contract.Figure]:
    """Of those who hold no customers: nothing is asked of them."""
    return {
        "stock": contract.Figure(value=figures.stock),
        "effective_contacts": contract.Figure(value=figures.effective_contacts),
        "new_key_customers": contract.Figure(value=figures.new_key_customers),
    }
