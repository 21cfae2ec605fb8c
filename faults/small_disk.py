"""A file system that can be filled without harm."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from embedded.postgres import NAME, Postgres
from ops.keys import make_keys

# It mounts, waits for the end of its input, which comes however we end, and unmounts: what nobody uses any more is gone then.
GUARDIAN = """
mount -t tmpfs -o "size=$2m,mode=0755" tmpfs "$1" || exit
echo mounted
read -r _
umount --lazy "$1"
"""


class MayNotMount(Exception):
    """Small file systems are for root alone to make."""


class StaysMounted(Exception):
    """A small file system could not be taken away again."""


@contextlib.contextmanager
def on_a_small_disk(home: Path, megabytes: int = 400) -> Iterator[Path]:
    """With the database of a system to be in it. Raises MayNotMount."""
    with small_disk(home / "disk", megabytes) as disk:
        secrets = home / "home" / "secrets"
        make_keys(secrets)
        server = Postgres(disk / NAME, secrets / "postgres-password")
        server.prepare()
        (home / "home" / NAME).symlink_to(server.data)
        yield disk


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """In memory, at this folder, and gone afterwards, also after kill -9. Raises MayNotMount."""
    folder.mkdir(parents=True)
    command = ["sh", "-c", GUARDIAN, "guardian", str(folder), str(megabytes)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as guardian:
        assert guardian.stdout
        assert guardian.stderr
        if guardian.stdout.readline() != "mounted\n":
            raise MayNotMount(guardian.stderr.read().strip())
        yield folder
        _, problem = guardian.communicate()
    if guardian.returncode:
        raise StaysMounted(problem.strip())
