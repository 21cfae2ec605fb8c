"""The folder of one stack: its lock, its secrets, its data."""

import fcntl
import os
from pathlib import Path

from embedded.supervise import CannotStart


class Home:
    """Where a stack keeps what outlives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.lock: int | None = None

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def data(self) -> Path:
        return self.folder / "postgresql"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text(encoding="utf-8").strip()

    def hold(self) -> None:
        """Two stacks on the same data would fight. The lock goes with the process that holds it, however that ends."""
        self.lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self.lock, 20).decode().strip()
            raise CannotStart(f"{self.folder} is in use by process {holder}; stop that or set another QUDAO_HOME.") from None
        os.truncate(self.lock, 0)
        os.write(self.lock, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None
