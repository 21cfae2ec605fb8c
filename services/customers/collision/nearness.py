"""How two names come near each other without being the same: a slip of the pen, a word more or fewer, a short form.

Every kind is symmetric. None of them is proof: 拓搏 and 拓博 are two companies, and so are a first and a second factory.
"""

from typing import NamedTuple

from services.contracts.collision import Criterion
from services.customers.collision.names import VERSION, CompanyName, relation_of
from services.customers.collision.sounds import sound_of
from services.customers.collision.trades import ACTIVITIES, trade_words

SHORT_BRAND = 2
"""Brands of so many characters: one of them exchanged makes another brand far more often than a slip."""
TELLING_TRADE = 3
"""Characters of a trade from which on it is rare enough in a city to speak for a slip in such a brand, or for a restructured
company: among a million registered names 4 in 100 new ones meet another by it, with trades of two characters 13."""
SHORTEST = 3
"""Characters of a core below which one character is too much of it to be a slip."""
SHORTEST_START = 3
LONGEST_END = 4
"""What may follow a name that begins like another: a longer end is a shop or a branch of its own."""
SHORTEST_INSIDE = 4
LONGEST_SHORT = 8
"""Characters of a core that says no legal form, beyond which it is no short form of anything."""
_COUNTING = frozenset("0123456789一二三四五六七八九十甲乙丙丁东南西北")
_OPEN_FORMS = ("", "股份", "集团")
"""Of a name as people say it: 华丰股份."""


class Nearness(NamedTuple):
    kind: Criterion
    reason: str
    """In words, without the names themselves."""


def nearness(one: CompanyName, other: CompanyName) -> Nearness | None:
    """How one name comes near the other, the most telling kind first; None when it does not, or when they have one identity."""
    if not one.core or not other.core or one.identity == other.identity or relation_of(one, other) not in ("same", "unknown"):
        return None
    if one.branch != other.branch:
        return _of_branches(one, other)
    shorter, longer = sorted((one, other), key=lambda name: (len(name.core), name.core))
    return _slip(shorter, longer) or _other_words(shorter, longer) or _cut(shorter, longer) or _restructured(shorter, longer)


def _of_branches(one: CompanyName, other: CompanyName) -> Nearness | None:
    if one.core != other.core:
        return None
    if not (one.branch and other.branch):
        return Nearness("branch", f"one is the branch {one.branch or other.branch} of the other")
    less, more = sorted((one.branch, other.branch), key=len)
    if branch_start(less) == branch_start(more) and _is_trade(_more(less, more)):
        return Nearness("branch_word", "branches of one company, and one of them says more")
    return None


def _more(less: str, more: str) -> str:
    """What the longer of two texts has in one piece besides the shorter one; empty where that is not so."""
    width = len(more) - len(less)
    place = _gap(less, more, width) if width else None
    return "" if place is None else more[place : place + width]


def _is_trade(text: str) -> bool:
    return bool(text) and "".join(trade_words(text, VERSION)) == text


def branch_start(branch: str) -> str:
    """What two branches must share for one to be the other with a word more."""
    return branch[:2]


def _restructured(shorter: CompanyName, longer: CompanyName) -> Nearness | None:
    """扬州机电设备总公司 may have become 扬州蓝天机电设备有限公司: a brand is taken on with the new form."""
    is_trade = may_have_been(shorter) and may_have_become(longer) and shorter.core == longer.trade
    if is_trade and relation_of(shorter, longer) == "same":
        reason = "the same trade in the same place: the one may have become the other with a new legal form"
        return Nearness("name_restructured", reason)
    return None


def may_have_been(name: CompanyName) -> bool:
    """Whether it is a company of the old kind: place, trade and a form without limited liability."""
    return not name.brand and not name.branch and len(name.trade) >= TELLING_TRADE and not _is_limited(name)


def may_have_become(name: CompanyName) -> bool:
    return bool(name.brand) and not name.branch and len(name.trade) >= TELLING_TRADE and _is_limited(name)


def _is_limited(name: CompanyName) -> bool:
    return "有限" in name.legal_form or "股份" in name.legal_form


def _slip(shorter: CompanyName, longer: CompanyName) -> Nearness | None:
    a, b = shorter.core, longer.core
    if sound_of(a) == sound_of(b):
        return Nearness("name_sound", "sounds alike")
    if len(a) < SHORTEST:
        return None
    if (place := _exchanged(a, b)) is not None:
        return _exchange(shorter, longer, place)
    if len(b) - len(a) == 1 and (place := _gap(a, b, 1)) is not None:
        return Nearness("name_spelling", f"one character more, {b[place]}")
    if sorted(a) == sorted(b):
        return Nearness("name_order", "the same characters in another order")
    return None


def _exchange(one: CompanyName, other: CompanyName, place: int) -> Nearness | None:
    ours, theirs = one.core[place], other.core[place]
    if ours in _COUNTING and theirs in _COUNTING:
        return None  # 一厂 is not 二厂
    brand = max((len(name.brand) for name in (one, other) if len(name.brand) <= SHORT_BRAND), default=0)
    if place < brand and min(len(one.trade), len(other.trade)) < TELLING_TRADE:
        return Nearness("name_brand", "the brands differ in one character")
    return Nearness("name_spelling", "differ in one character")


def _other_words(shorter: CompanyName, longer: CompanyName) -> Nearness | None:
    """The same brand with a trade that says more; without a brand only what is done with the goods may differ."""
    if shorter.branch:
        return None  # 中国银行扬州支行 and 中国建设银行扬州支行
    if shorter.brand and shorter.brand == longer.brand and shorter.trade and longer.trade:
        less, more = sorted((shorter.trade, longer.trade), key=len)
        if is_within(less, more):
            return Nearness("name_word", f"same brand {shorter.brand}, and one trade says more than the other")
    elif not shorter.brand and not longer.brand and (goods_of(shorter) and goods_of(shorter) == goods_of(longer)):
        return Nearness("name_word", "the same trade but for what is done")
    return None


def goods_of(name: CompanyName) -> str:
    """Its trade without what is done with the goods."""
    return "".join(word for word in trade_words(name.trade, VERSION) if word not in ACTIVITIES)


def _cut(shorter: CompanyName, longer: CompanyName) -> Nearness | None:
    if shorter.branch:
        return None
    a, b = shorter.core, longer.core
    if is_short_form(shorter) and _may_be_short(said(a), said(b)):
        return Nearness("name_short", "one may be short for the other")
    if len(a) > SHORTEST and len(b) - len(a) == 2 and (place := _gap(a, b, 2)) is not None and place >= 2:
        return Nearness("name_insertion", f"{b[place : place + 2]} more, the rest is the same")
    if len(a) >= SHORTEST_START and len(b) - len(a) <= LONGEST_END and b.startswith(a):
        return Nearness("name_start", "one begins like the other")
    return None


def _may_be_short(a: str, b: str) -> bool:
    """A short form begins like the name, or stands in it whole."""
    return len(a) >= 2 and ((a[:2] == b[:2] and is_within(a, b)) or (len(a) >= SHORTEST_INSIDE and a in b))


def said(core: str) -> str:
    """As people say it: without the 中国 in front."""
    return core.removeprefix("中国") or core


def is_short_form(name: CompanyName) -> bool:
    """Whether it is a name as people say it, without a legal form."""
    return name.legal_form in _OPEN_FORMS and not name.branch and 2 <= len(name.core) <= LONGEST_SHORT


def is_within(part: str, whole: str) -> bool:
    """Whether all characters of the part stand in the whole, in this order."""
    rest = iter(whole)
    return all(character in rest for character in part)


def _exchanged(a: str, b: str) -> int | None:
    """Where two texts of one length differ, if in one place only."""
    if len(a) != len(b):
        return None
    places = [index for index, (ours, theirs) in enumerate(zip(a, b, strict=True)) if ours != theirs]
    return places[0] if len(places) == 1 else None


def _gap(a: str, b: str, width: int) -> int | None:
    """Where the longer text has so many characters that the shorter one lacks; at the last place possible."""
    start = 0
    while start < len(a) and a[start] == b[start]:
        start += 1
    return start if a[start:] == b[start + width :] else None
