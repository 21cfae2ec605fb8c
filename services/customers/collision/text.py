"""The same text however it was typed: width, case, traditional characters, blanks, punctuation, brackets."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

_TRADITIONAL = Path(__file__).parent / "data" / "traditional.txt"
_OPENING = "[{<〔【《〈「『〖〘"
_CLOSING = "]}>〕】》〉」』〗〙"
_TO_ROUND = str.maketrans(_OPENING + _CLOSING, "(" * len(_OPENING) + ")" * len(_CLOSING))
_INNERMOST = re.compile(r"\(([^()]*)\)")


@cache
def _simplified() -> dict[int, str]:
    pairs = _TRADITIONAL.read_text(encoding="utf-8").split()
    return {ord(pair[0]): pair[1] for pair in pairs}


def fold(text: str) -> str:
    """Width, case and traditional characters away, punctuation kept.

    Character by character, so that a part of a name folds like the whole. Where the traditional form is ambiguous (乾), both
    spellings fold to the same: for identity a rare merger is better than a miss. Case folding can undo NFKC, hence the loop.
    """
    for _ in range(4):
        folded = unicodedata.normalize("NFKC", text).casefold().translate(_simplified())
        if folded == text:
            break
        text = folded
    return text


def squeeze(text: str) -> str:
    """Letters and digits of any script only."""
    return "".join(filter(str.isalnum, text))


def compact(text: str) -> str:
    """Folded and squeezed until nothing changes: with a character gone, its neighbours may compose."""
    for _ in range(8):
        squeezed = squeeze(fold(text))
        if squeezed == text:
            break
        text = squeezed
    return text


def open_brackets(folded: str, is_aside: Callable[[str, bool], bool]) -> tuple[str, list[str]]:
    """Brackets of any shape away. What they hold stays where it is; what is aside is handed back apart, left to right.

    `is_aside` is told what the brackets hold and whether they stand at the very front.
    """
    folded = folded.translate(_TO_ROUND)
    aside: list[str] = []

    def keep_or_move(found: re.Match[str]) -> str:
        content = squeeze(found.group(1))
        if not is_aside(content, not squeeze(found.string[: found.start()])):
            return content
        aside.append(content)
        return ""

    while "(" in folded and _INNERMOST.search(folded):
        folded = _INNERMOST.sub(keep_or_move, folded)
    return folded, aside
