"""`bench path`: what a request costs on its way through gateway, broker, service and database, beside the least it could cost."""

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench import machine
from bench.delay import measure_delay
from bench.lines import Figures, Line, lines_of, measure
from bench.report import table
from bench.stand import Stand, standing

INTERLEAVED = ("echo", "select", "read", "read_one_session")
ONCE_EACH = ("alone", "list", "entry")

Measured = dict[tuple[str, int], Figures]


@dataclass(frozen=True)
class Wish:
    """How long, with how many clients, on which broker."""

    seconds: float
    clients: Sequence[int]
    broker: str
    rounds: int
    is_json_only: bool

    @property
    def limit(self) -> float:
        """Seconds after which the whole run is given up."""
        measures = len(self.clients) * (len(INTERLEAVED) * self.rounds + len(ONCE_EACH))
        return 180 + measures * (2 * self.seconds + 3) + 5 * self.seconds


def run(wish: Wish) -> None:
    """Prints the table, and the whole as one JSON object on the last line. Raises NotMeasured."""
    say: Callable[[str], None] = (lambda line: None) if wish.is_json_only else (lambda line: print(line, flush=True))
    found: dict[str, Any] = {"bench": "path", "commit": machine.commit(), "machine": machine.machine()}
    with standing(wish.broker) as stand:
        say("the stack stands; people log in and enter customers")
        found["versions"] = machine.versions(stand.stack, wish.broker)
        lines = lines_of(stand, stand.people(max(wish.clients)))
        measured = measure_all(stand, lines, wish, say)
        say("(e) from commit to effect")
        found["events"] = measure_delay(stand, lines["entry"], max(1.0, 5 * wish.seconds))
    found |= {"seconds": wish.seconds, "lines": by_line(lines, measured), "ratios": ratios(measured, wish.clients)}
    say(table(found))
    print(json.dumps(found, ensure_ascii=False))
    sys.stdout.flush()


def measure_all(stand: Stand, lines: dict[str, Line], wish: Wish, say: Callable[[str], None]) -> Measured:
    """The compared lines take turns, so that what disturbs the machine disturbs all of them alike; entries come last."""
    measured: Measured = {(name, clients): Figures() for name in lines for clients in wish.clients}
    turns = ["alone", *INTERLEAVED * wish.rounds, "list", "entry"]
    for clients in wish.clients:
        for name in turns:
            measure(stand, lines[name], clients, wish.seconds, measured[name, clients])
            say(f"{lines[name].what}, {clients} clients: {measured[name, clients].rates[-1]:.0f}/s")
    return measured


def by_line(lines: dict[str, Line], measured: Measured) -> dict[str, Any]:
    return {
        name: {
            "what": line.what,
            "clients": {str(clients): figures.as_json() for (of, clients), figures in measured.items() if of == name},
        }
        for name, line in lines.items()
    }


def ratios(measured: Measured, clients: Sequence[int]) -> dict[str, Any]:
    """(c) by (b), round by round: the two of a round were measured one after the other."""
    return {
        name: {str(count): ratio(measured[name, count].rates, measured["select", count].rates) for count in clients}
        for name in ("read", "read_one_session", "echo")
    }


def ratio(of: Sequence[float], by: Sequence[float]) -> dict[str, float]:
    each = [one / other for one, other in zip(of, by, strict=True)]
    return {"median": round(statistics.median(each), 3), "min": round(min(each), 3), "max": round(max(each), 3)}
