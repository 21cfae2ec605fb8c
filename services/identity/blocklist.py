"""The passwords that many people have, and that are therefore tried first; see `data/README.md`."""

import hashlib
from bisect import bisect_left
from functools import cache
from pathlib import Path

LIST = Path(__file__).parent / "data" / "common_passwords.bin"
SIZE = 5  # bytes of each digest


@cache
def digests() -> bytes:
    return LIST.read_bytes()


def is_common(folded: str) -> bool:
    """Whether a password, folded as `domain.folded_password` does, is in the list."""
    known, wanted = digests(), hashlib.sha256(folded.encode(errors="surrogatepass")).digest()[:SIZE]
    count = len(known) // SIZE
    place = bisect_left(range(count), wanted, key=lambda number: known[number * SIZE : (number + 1) * SIZE])
    return place < count and known[place * SIZE : (place + 1) * SIZE] == wanted
