"""`python -m bench path`: benchmarks by name. Each ends within a limit and says on its last line what it found, as JSON."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from bench import backlog, collision, felt, log_ins, path, people, rights, scale, search
from bench.stand import NotMeasured
from embedded.supervise import CannotStart
from tests.rabbitmq import BrokerDied

RUNS: dict[type, Callable[[Any], None]] = {
    path.Wish: path.run,
    backlog.Wish: backlog.run,
    collision.Wish: collision.run,
    rights.Wish: rights.run,
    log_ins.Wish: log_ins.run,
    scale.Wish: scale.run,
    search.Wish: search.run,
    people.Wish: people.run,
    felt.Wish: felt.run,
}


def main(words: list[str]) -> int:
    wish = parse(words)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, wish.limit)
    try:
        RUNS[type(wish)](wish)
    except (NotMeasured, CannotStart, BrokerDied, FileNotFoundError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    return 0


def parse(words: list[str]) -> Any:
    parser = argparse.ArgumentParser(prog="bench")
    benches = parser.add_subparsers(required=True, dest="bench")
    along = benches.add_parser("path", help=path.__doc__)
    along.add_argument("--seconds", type=positive, default=2.0, help="of each measure")
    along.add_argument("--clients", type=counts, default=(1, 10, 50), help="such as 1,10,50")
    along.add_argument("--broker", choices=("embedded", "rabbitmq"), default="embedded")
    along.add_argument("--rounds", type=int, choices=range(1, 11), default=3, help="of the lines that are compared")
    along.add_argument("--json-only", action="store_true", help="print the last line alone")
    behind = benches.add_parser("backlog", help=backlog.__doc__)
    behind.add_argument("--events", type=events, default=6000, help="told while a consumer is away")
    behind.add_argument("--broker", choices=("embedded", "rabbitmq"), default="embedded")
    behind.add_argument("--consumer", choices=backlog.CONSUMERS, help="this one alone")
    behind.add_argument("--way", choices=backlog.WAYS, help="this one alone")
    behind.add_argument("--json-only", action="store_true", help="print the last line alone")
    benches.add_parser("rights", help=rights.__doc__).add_argument("--people", type=events, default=50_000, help="on file")
    floods = benches.add_parser("log-ins", help=log_ins.__doc__, formatter_class=argparse.RawTextHelpFormatter)
    floods.add_argument("--seconds", type=positive, default=20.0, help="of each measure beside the flood")
    floods.add_argument("--refusals", type=int, choices=range(4, 1001), metavar="4..1000", default=200, help="of each kind")
    floods.add_argument("--json-only", action="store_true", help="print the last line alone")
    judged = benches.add_parser("collision", help=collision.__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for file in ("corpus", "queries", "out"):
        judged.add_argument(f"--{file}", type=Path, required=True)
    for name, about in (("scale", scale), ("search", search)):
        large = benches.add_parser(name, help=about.__doc__, formatter_class=argparse.RawTextHelpFormatter)
        large.add_argument("--names", type=Path, help="CSV with the columns name, province, city; .xz is unpacked")
        large.add_argument("--size", type=companies, required=True, help="how many companies are loaded")
        large.add_argument("--seed", type=int, default=1)
        large.add_argument("--seconds", type=positive, default=about.Wish.seconds, help="of each measure over HTTP")
        large.add_argument("--json-only", action="store_true", help="print the last line alone")
    many = benches.add_parser("people", help=people.__doc__, formatter_class=argparse.RawTextHelpFormatter)
    many.add_argument("--users", type=users, default=50_000, help="ten in each department")
    many.add_argument("--seconds", type=positive, default=people.Wish.seconds, help="of each measure over HTTP")
    many.add_argument("--json-only", action="store_true", help="print the last line alone")
    changed = benches.add_parser("felt", help=felt.__doc__, formatter_class=argparse.RawTextHelpFormatter)
    changed.add_argument("--rounds", type=int, choices=range(1, 51), metavar="1..50", default=5, help="of all kinds of changes")
    changed.add_argument("--broker", choices=("embedded", "rabbitmq"), default="rabbitmq")
    changed.add_argument("--json-only", action="store_true", help="print the last line alone")
    given = parser.parse_args(words)
    if given.bench == "felt":
        return felt.Wish(given.rounds, given.broker, given.json_only)
    if given.bench == "people":
        return people.Wish(given.users, given.seconds, given.json_only)
    if given.bench == "search":
        return search.Wish(given.names, given.size, given.seed, given.seconds, given.json_only)
    if given.bench == "scale":
        return scale.Wish(given.names, given.size, given.seed, given.seconds, given.json_only)
    if given.bench == "collision":
        return collision.Wish(given.corpus, given.queries, given.out)
    if given.bench == "rights":
        return rights.Wish(given.people)
    if given.bench == "log-ins":
        return log_ins.Wish(given.seconds, given.refusals, given.json_only)
    if given.bench == "backlog":
        consumers = (given.consumer,) if given.consumer else backlog.CONSUMERS
        ways = (given.way,) if given.way else backlog.WAYS
        return backlog.Wish(given.events, given.broker, given.json_only, consumers, ways)
    return path.Wish(given.seconds, given.clients, given.broker, given.rounds, given.json_only)


def users(text: str) -> int:
    if not 1_000 <= (number := int(text)) <= 500_000:
        raise argparse.ArgumentTypeError("from 1000 to 500000")
    return number


def positive(text: str) -> float:
    if not 0 < (number := float(text)) <= 60:
        raise argparse.ArgumentTypeError("more than 0 and at most 60")
    return number


def events(text: str) -> int:
    if not 1000 <= (number := int(text)) <= 100_000:
        raise argparse.ArgumentTypeError("a number from 1000 to 100000")
    return number


def companies(text: str) -> int:
    if not 200 <= (number := int(text)) <= 20_000_000:
        raise argparse.ArgumentTypeError("a number from 200 to 20000000")
    return number


def counts(text: str) -> tuple[int, ...]:
    numbers = tuple(dict.fromkeys(int(word) for word in text.split(",")))
    if not all(0 < number <= 200 for number in numbers):
        raise argparse.ArgumentTypeError("numbers from 1 to 200")
    return numbers


def stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit("bench: stopped")


def too_long(_number: int, _frame: FrameType | None) -> None:
    raise NotMeasured("It took too long.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
