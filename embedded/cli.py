"""The commands of `./qudao`, run in the environment that bootstrap.py has made."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from embedded import tools
from embedded.bootstrap import HELP
from embedded.supervise import CannotStart
from embedded.up import up


def main(words: list[str], start: Callable[[], int] = up) -> int:
    command, rest = (words[0] if words else "help"), words[1:]
    commands: dict[str, Callable[[], int]] = {
        "up": start,
        "test": lambda: tools.test(rest, home()),
        "check": lambda: tools.check(home()),
        "lock": tools.lock,
        "bench": lambda: tools.bench(rest),
        "demo": lambda: tools.demo(rest),
        "fsck": lambda: tools.fsck(rest, home()),
        "audit": lambda: tools.audit(rest, home()),
        "faults": lambda: tools.faults(rest),
        "fuzz": lambda: tools.fuzz(rest, home()),
    }
    if command not in commands:
        print(HELP, end="", file=sys.stdout if command == "help" else sys.stderr)
        return 0 if command == "help" else 2
    try:
        return commands[command]()
    except CannotStart as problem:
        for line in problem.lines:
            print(f"  {line}", file=sys.stderr)
        print(f"qudao: {problem.sentence}", file=sys.stderr)
        return 1


def home() -> Path:
    return Path(os.environ["QUDAO_HOME"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
