"""Brand (字号) and trade: 艺动力彩色印刷 is 艺动力 + 彩色印刷."""

from functools import cache
from pathlib import Path

_TRADES = Path(__file__).parent / "data" / "trades.txt"


@cache
def _words() -> tuple[frozenset[str], int]:
    lines = _TRADES.read_text(encoding="utf-8").splitlines()
    words = frozenset(word for line in lines if not line.startswith("#") for word in line.split())
    return words, max(map(len, words))


def split_trade(stem: str) -> tuple[str, str]:
    """The stem of a name as brand and trade, trade words peeled off from the end; the brand is empty when all is trade."""
    words, longest = _words()
    start = len(stem)
    while start:
        for length in range(min(longest, start), 1, -1):
            if stem[start - length : start] in words:
                start -= length
                break
        else:
            break
    return stem[:start], stem[start:]
