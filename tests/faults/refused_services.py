"""Services that must not start: `python -m tests.faults.refused_services NAME`; without a name, what each of them says."""

from services.plumbing.run import serve

# isort: split

import dataclasses
import sys
from pathlib import Path

from nameko.events import event_handler
from nameko.rpc import rpc
from nameko.timer import timer
from pydantic import SecretStr

from services.contracts import rules as contract
from services.contracts.activities import ContactNoteWritten
from services.contracts.base import Envelope, Event, Nothing
from services.contracts.rules import AllowanceSet
from services.contracts.subscriptions import SUBSCRIPTIONS
from services.plumbing.call import Call
from services.plumbing.events import handles
from services.plumbing.rpc import serves
from services.plumbing.service import ListeningService
from services.plumbing.settings import ServiceSettings
from services.plumbing.work import Work

OPEN = dataclasses.replace(contract.SHOW_DAY, permission=None)


class Hearing(ListeningService):
    @handles(*SUBSCRIPTIONS["rules"])
    def hear(self, event: Event, envelope: Envelope, work: Work) -> None: ...


class WithoutPermission(Hearing):
    name = "rules"

    @serves(OPEN)
    def show_day(self, query: Nothing, call: Call) -> Nothing: ...


class StockRpc(Hearing):
    name = "rules"

    @rpc
    def anybody(self) -> None: ...


class StockEventHandler(Hearing):
    name = "rules"

    @event_handler("customers", "customer_entered")
    def anything(self, event: object) -> None: ...


class StockTimer(Hearing):
    name = "rules"

    @timer(interval=1)
    def by_itself(self) -> None: ...


class HandlerTooFew(ListeningService):
    name = "rules"

    @handles(*(event for event in SUBSCRIPTIONS["rules"] if event is not ContactNoteWritten))
    def hear(self, event: Event, envelope: Envelope, work: Work) -> None: ...


class HandlerTooMany(Hearing):
    name = "rules"

    @handles(AllowanceSet)
    def hear_more(self, event: Event, envelope: Envelope, work: Work) -> None: ...


REFUSED = (WithoutPermission, StockRpc, StockEventHandler, StockTimer, HandlerTooFew, HandlerTooMany)


def start(service: type) -> None:
    """Before they are used, settings that lead nowhere will do."""
    settings = ServiceSettings(
        service="rules",
        amqp_uri=SecretStr("amqp://nobody@127.0.0.1:1/"),
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing"),
        signing_key=SecretStr("none"),
        trusted_keys_dir=Path("/nonexistent"),
    )
    serve(service, settings)


def say_why(service: type) -> None:
    try:
        start(service)
    except (SystemExit, ValueError) as refusal:
        print(f"{service.__name__}: {refusal}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        start(globals()[sys.argv[1]])
    for refused in REFUSED:
        say_why(refused)
