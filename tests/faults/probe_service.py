"""Takes the place of rules: hears the same events, and has operations made to be disturbed.

Every run of a body or handler leaves a row in `execution`, committed at once, and every lasting effect one in `effect`.
A customer whose name begins with `failing 2` makes the handler fail twice; with `exiting 5` or `stalling 5` it fails in other
ways. Started as `python -m tests.faults.probe_service`.
"""

from services.plumbing.run import serve

# isort: split

import builtins
import time
import uuid
from typing import ClassVar

from sqlalchemy import Engine, text

from services.contracts.base import Envelope, Event, Nothing
from services.contracts.customers import SHOW_CUSTOMER, CustomerEntered, CustomerView, ShowCustomer
from services.contracts.rules import SHOW_ALLOWANCE, Allowance, AskAllowance
from services.contracts.subscriptions import SUBSCRIPTIONS
from services.plumbing.call import Call
from services.plumbing.database import make_engine
from services.plumbing.events import handles
from services.plumbing.passport import NOBODY
from services.plumbing.rpc import serves
from services.plumbing.service import ListeningService
from services.plumbing.settings import ServiceSettings
from services.plumbing.work import Work
from tests.faults import probe_contract as contract

RAN = text("INSERT INTO execution (label) VALUES (:label)")
RUNS = text("SELECT count(*) FROM execution WHERE label = :label")
EFFECT = text("INSERT INTO effect (label) VALUES (:label)")


def fail(work: Work) -> None:
    raise RuntimeError("as its name demands")


def leave(work: Work) -> None:
    raise SystemExit("as its name demands")


def stall(work: Work) -> None:
    """Longer than a statement may take."""
    work.session.execute(text("SELECT pg_sleep(60)"))


FAILURES = {"failing": fail, "exiting": leave, "stalling": stall}


class RulesService(ListeningService):
    name = "rules"
    notes: ClassVar[Engine]

    @serves(contract.COUNT)
    def count(self, command: contract.Count, call: Call) -> contract.Counted:
        self.note_run(command.label)
        time.sleep(command.seconds)
        with call.transaction() as work:
            time.sleep(command.seconds_inside)
            work.session.execute(EFFECT, {"label": command.label})
            if command.then_fail:
                raise RuntimeError("after the effect, before the commit")
            return work.answer(contract.Counted(label=command.label, ticket=uuid.uuid4()))

    @serves(contract.SLEEP)
    def sleep(self, query: contract.Sleep, call: Call) -> Nothing:
        with call.reading() as session:
            session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": query.seconds})
        return Nothing()

    @serves(contract.IDLE)
    def idle(self, query: Nothing, call: Call) -> Nothing:
        return query

    @serves(contract.FAIL)
    def fail(self, query: contract.Fail, call: Call) -> Nothing:
        raise getattr(builtins, query.kind)(query.text)

    @serves(contract.SAY)
    def say(self, command: contract.Say, call: Call) -> Nothing:
        with call.transaction() as work:
            work.emit(contract.ProbeSpoke(words=command.words), aggregate_id=uuid.uuid4(), version=1)
            return work.answer(Nothing())

    @serves(contract.ASK)
    def ask(self, query: ShowCustomer, call: Call) -> CustomerView:
        return call.ask(SHOW_CUSTOMER, query)

    @handles(CustomerEntered)
    def hear_entry(self, event: CustomerEntered, envelope: Envelope, work: Work) -> None:
        how, times, *_ = event.name.split()
        if self.note_run(event.name) <= (int(times) if how in FAILURES else 0):
            FAILURES[how](work)
        work.session.execute(EFFECT, {"label": event.name})

    @serves(SHOW_ALLOWANCE)
    def show_allowance(self, query: AskAllowance, call: Call) -> Allowance:
        return Allowance(person_id=query.person_id, agency_id=NOBODY, version=0, limit=1_000_000, decided_by="the test")

    @handles(*(event for event in SUBSCRIPTIONS["rules"] if event is not CustomerEntered))
    def ignore(self, event: Event, envelope: Envelope, work: Work) -> None:
        pass

    def note_run(self, label: str) -> int:
        """Kept even when what follows is rolled back or killed; how many runs there were.

        On connections of its own: who waits for a second one while he holds a first can wait for ever.
        """
        with self.notes.begin() as connection:
            connection.execute(RAN, {"label": label})
            return int(connection.scalar(RUNS, {"label": label}))


if __name__ == "__main__":
    settings = ServiceSettings.of("rules")
    RulesService.notes = make_engine(settings)
    serve(RulesService, settings)
