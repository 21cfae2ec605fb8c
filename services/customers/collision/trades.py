"""Brand (字号) and trade: 艺动力彩色印刷 is 艺动力 + 彩色印刷."""

from functools import cache
from pathlib import Path

_TRADES = Path(__file__).parent / "data" / "trades.txt"
_SINCE_2 = ("供销合作", "信用合作", "农村信用合作", "专业合作", "联合", "农村信用")
"""What is left of 供销合作社 and the like without their 社, which is a legal form since version 2."""

ACTIVITIES = frozenset({"制造", "加工", "生产", "制作", "销售", "经销", "经营", "批发", "零售", "服务"})
"""What is done with the goods; it says least about who a company is."""


@cache
def _words(version: int) -> tuple[frozenset[str], int]:
    lines = _TRADES.read_text(encoding="utf-8").splitlines()
    words = frozenset(word for line in lines if not line.startswith("#") for word in line.split())
    if version >= 2:
        words |= set(_SINCE_2)
    return words, max(map(len, words))


def split_trade(stem: str, version: int) -> tuple[str, str]:
    """The stem of a name as brand and trade, trade words peeled off from the end; the brand is empty when all is trade."""
    start = len(stem)
    while (shorter := _before_word(stem, start, version)) is not None:
        start = shorter
    return stem[:start], stem[start:]


def words_of_trades(version: int) -> frozenset[str]:
    return _words(version)[0]


def trade_words(trade: str, version: int) -> list[str]:
    """A trade as `split_trade` has found it, word by word."""
    words: list[str] = []
    end = len(trade)
    while (start := _before_word(trade, end, version)) is not None:
        words.append(trade[start:end])
        end = start
    return words[::-1]


def _before_word(text: str, end: int, version: int) -> int | None:
    words, longest = _words(version)
    for length in range(min(longest, end), 1, -1):
        if text[end - length : end] in words:
            return end - length
    return None
