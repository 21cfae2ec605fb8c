"""How a name sounds: 三真 and 三珍 are both san zhen, which is how one of them is typed for the other.

Exact syllables without tones; z and zh, n and l are not merged. Source and licence of the table: data/NOTICE.
"""

from functools import cache
from pathlib import Path

_PINYIN = Path(__file__).parent / "data" / "pinyin.txt"


@cache
def _syllables() -> dict[int, str]:
    """Each character's syllable between blanks, for `str.translate`."""
    table: dict[int, str] = {}
    for line in _PINYIN.read_text(encoding="utf-8").splitlines():
        syllable, characters = line.split(" ")
        spoken = f" {syllable} "
        for character in characters:
            table[ord(character)] = spoken
    return table


def sound_of(text: str) -> str:
    """The reading of a folded text (`text.fold`), joined by blanks: 三真彩印2厂 → san zhen cai yin 2 chang.

    One reading per character, the commonest: 行 is always xing. What has none (letters, digits) stays; ü is v behind l and n.
    """
    plain = text.replace("lü", "lv").replace("nü", "nv")
    return " ".join(plain.translate(_syllables()).split())
