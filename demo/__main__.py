"""`./qudao demo`: plays the main job over HTTP, on a throw-away system or a running one. Exits with 0 if all was as expected."""

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from demo.api import Unusable
from demo.cases import TITLES
from demo.play import Door, play
from embedded.stack import Stack
from embedded.supervise import CannotStart
from embedded.up import SIGNALS, Stopped, ignore_signals, stop


def main(words: Sequence[str]) -> int:
    wish = parse(words)
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, stop)
    try:
        if wish.url:
            return play(door_of(wish), wish.case)
        with throw_away_stack() as stack:
            return play(Door(stack.url, stack.setup_secret, is_throw_away=True), wish.case)
    except Stopped:
        print("\nqudao: stopped", file=sys.stderr)
        return 130
    except (CannotStart, Unusable, LookupError) as problem:
        print(f"qudao: {problem}", file=sys.stderr)
        return 1


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="qudao demo", description=__doc__)
    parser.add_argument("--case", type=int, choices=sorted(TITLES), help="play this one alone")
    parser.add_argument("--url", help="play on a running system, such as http://127.0.0.1:8080")
    parser.add_argument("--setup-secret-file", type=Path, help="its set-up secret, while it has no administrator")
    parser.add_argument("--login", default="admin", help="a subsystem admin (%(default)s)")
    parser.add_argument("--password-file", type=Path, help="his password")
    wish = parser.parse_args(words)
    if wish.url and not (wish.setup_secret_file or wish.password_file):
        parser.error("--url needs --password-file, or --setup-secret-file while the system has no administrator")
    return wish


def door_of(wish: argparse.Namespace) -> Door:
    secret, password = (file and read(file) for file in (wish.setup_secret_file, wish.password_file))
    return Door(wish.url, secret, wish.login, password)


def read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Unusable(f"{file} cannot be read: {error.strerror}") from None


@contextlib.contextmanager
def throw_away_stack() -> Iterator[Stack]:
    """A system of its own in a temporary folder; nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="qudao-demo-") as folder:
        stack = Stack(Path(folder) / "home", fast=True)
        print("starting a throw-away system …", flush=True)
        try:
            stack.start()
            stack.wait_ready()
            yield stack
        finally:
            ignore_signals()
            stack.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
