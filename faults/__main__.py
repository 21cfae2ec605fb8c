"""`./qudao faults`: breaks a throw-away system in every way that it is to survive, under load, and reckons up afterwards.

Ends with a table, and with 1 if anything accepted was lost, done twice or any other promise broken.
"""

import argparse
import random
import signal
import sys
from collections.abc import Sequence

from embedded.supervise import CannotStart
from embedded.up import SIGNALS, Stopped, ignore_signals, stop
from faults.campaign import FAULTS, Campaign, faults_named
from faults.trial import Result
from tests.rabbitmq import HOW_TO_INSTALL, BrokerDied, find_rabbitmq

COLUMNS = ("fault", "times", "accepted", "unknown", "lost", "doubled", "worst wait", "recovered", "quiet", "promises")


def main(words: Sequence[str]) -> int:
    wish = parse(words)
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, stop)
    chosen = faults_named(*wish.only)
    if find_rabbitmq() is None and any(fault.world != "embedded" for fault in chosen):
        print(f"qudao: {HOW_TO_INSTALL}", file=sys.stderr)
        return 1
    seed = random.SystemRandom().randrange(10**6) if wish.seed is None else wish.seed
    given = [*(f"--only {name}" for name in wish.only), *([f"--minutes {wish.minutes:g}"] if wish.minutes else [])]
    say(f"seed {seed}; the same choices again: ./qudao faults {' '.join([f'--seed {seed}', *given])}")
    campaign = Campaign(chosen, seed, wish.minutes, say)
    try:
        campaign.run()
    except Stopped:
        print("\nqudao: stopped", file=sys.stderr)
        return 130
    except (CannotStart, BrokerDied) as problem:
        print(f"qudao: {problem}", file=sys.stderr)
        return 1
    finally:
        ignore_signals()
        print(table(campaign.results), flush=True)
    return 1 if not campaign.results or any(result.broken_promises() for result in campaign.results) else 0


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="qudao faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, help="repeat the choices of an earlier run")
    names = [fault.name for fault in FAULTS]
    described = "\n".join(f"  {fault.name:18}{fault.what}" for fault in FAULTS)
    parser.add_argument(
        "--only", action="append", default=[], choices=names, metavar="NAME", help=f"this one; again for more:\n{described}"
    )
    parser.add_argument("--minutes", type=float, help="about so long, by fewer rounds and shorter outages")
    return parser.parse_args(words)


def say(line: str) -> None:
    print(line, flush=True)


def table(results: Sequence[Result]) -> str:
    rows = [COLUMNS, *(row(result) for result in results)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(COLUMNS))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in rows
    ]
    return "\n".join(["", *lines, "", *figures(results)])


def row(result: Result) -> tuple[str, ...]:
    counts = (result.times, result.accepted, result.unknown, result.lost, result.doubled)
    seconds = (result.wait, result.recovered, result.quiet)
    kept = "kept" if not result.broken_promises() else "BROKEN"
    return (result.fault.name, *map(str, counts), *(f"{value:.1f} s" for value in seconds), kept)


def figures(results: Sequence[Result]) -> list[str]:
    return [f"{result.fault.name}: {name} {value:.1f}" for result in results for name, value in result.figures.items()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
