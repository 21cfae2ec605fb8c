"""A company's name taken apart: region, brand (字号), trade, legal form, branch.

Identity lies in the core, brand and trade together: 上海市瑞丽服装有限公司 and 上海瑞丽服装厂 both come to 瑞丽服装.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from services.customers.collision.divisions import Region, Relation, relation, title_of
from services.customers.collision.forms import is_loose, split_branch, strip_form
from services.customers.collision.regions import Step, is_place, locate, meant, steps_into
from services.customers.collision.text import compact, fold, open_brackets
from services.customers.collision.trades import split_trade, trade_words

VERSION = 3
"""Stored with each row. Raised with every change here that moves a core: keys of two versions miss each other silently.

What a version has changed is asked for by its number, so that customers which are filed by an older one are still met by its
rules until they are filed anew. Version 2: 控股 and the 社 of a 合作社 are legal forms, 家俱 is 家具, 加 at the end is 加工, a
town is known inside its city as well, the 商场 of a company is the company, words of a trade may stand in any order. Version 3
reads names as 2 does: what is near is filed under keys in an order (`near_keys`), and parts are kept in half the room.
"""
READ_ALIKE, IN_ORDER = 2, 3

_ONE_WORD = (("家俱", "家具"), ("傢具", "家具"), ("傢俱", "家具"), ("傢私", "家私"))
"""Spellings of one word that no table of single characters brings together."""

_GONE_WORDS = """
集团 筹 筹建 有限合伙 普通合伙 特殊普通合伙 个人独资 个体 个体工商户 股份 合伙 独资 中外合资 外资 内资 合资 连锁
"""
_GONE = frozenset(_GONE_WORDS.split())
_FORMER = re.compile("(?:原名?|曾用名|旧称)(.{2,})")
_OUTLET = "商场"
"""Behind a company's name without a word of its own: its shop, at its address. 门市部 and the like are others' too often."""
_NATIONS = frozenset({"中国", "香港", "澳门", "台湾", "中华人民共和国"})
# "co" and the like only as words of their own: Cisco keeps its end
_LATIN_WORD = re.compile(r"(?<=[\s.,])(?:co|ag|sa|bv|nv|kg|oy|ab)\.?\s*$")


@dataclass(frozen=True, slots=True)
class CompanyName:
    """What a name is made of."""

    normalised: str
    region: Region
    """As the name says it, filled from province and city where the name is silent."""
    said: Region
    """As the name alone says it."""
    brand: str
    trade: str
    legal_form: str
    branch: str
    """Which branch of the company, without the place that `region` says; empty for the company itself."""
    core: str
    """Brand and trade. Never empty unless the name has no letter or digit."""
    other_cores: tuple[str, ...] = ()
    """The core with a doubtful place left in it (南海区里水惠翔印刷厂 is 惠翔印刷, or 里水惠翔印刷 to who leaves out 南海区), and
    with the words of its trade in a fixed order."""
    former: tuple[str, ...] = ()
    """Earlier names given in brackets (原…), normalised."""

    @property
    def is_generic(self) -> bool:
        """Nothing but region and trade (扬州印花厂): only the same place, down to the town, makes the same core one company."""
        return not self.brand

    @property
    def identity(self) -> str:
        """The core with the branch: a branch is not its parent and not its sibling."""
        return self.with_branch(self.core)

    @property
    def other_identities(self) -> tuple[str, ...]:
        return tuple(map(self.with_branch, self.other_cores))

    def with_branch(self, core: str) -> str:
        return f"{core}/{self.branch}" if self.branch else core


def normalise(name: str) -> str:
    """The name as one plain string for substring search.

    Folded, no blanks or punctuation; a place in brackets moved to the front, 集团 and 原… in brackets gone. Idempotent; does not
    depend on where the company sits.
    """
    body, aside = open_brackets(fold(name), _is_aside)
    return compact("".join(_places(aside)) + body) or compact(name)


@lru_cache(maxsize=4096)
def decompose(name: str, province: str | None = None, city: str | None = None, version: int = VERSION) -> CompanyName:
    """The parts of a name; province and city, as the entry gives them, confirm places that could be brands."""
    opened, aside = open_brackets(fold(name), _is_aside)
    body = compact(_LATIN_WORD.sub("", opened)) or compact(name)
    places = "".join(_places(aside))
    hint = locate(province, city)
    seat = meant(places, Region()).filled_from(hint) if places else hint
    parent, branch = _split_branch(body, seat)
    branch = branch.removesuffix(_OUTLET) if version >= 2 else branch
    stem, *others = _stems(parent, _own_steps(parent, seat, is_strict=bool(places), version=version), version)
    own = seat if places and stem.region.city is None else stem.region.filled_from(seat)
    branch_steps = steps_into(branch, own) if branch else []
    region = own.filled_from(branch_steps[-1].region) if branch_steps else own
    return CompanyName(
        normalised=compact(places + opened) or body,
        region=region,
        said=stem.region,
        brand=stem.brand,
        trade=stem.trade,
        legal_form=stem.legal_form,
        branch=_label(branch, branch_steps, region),
        core=stem.core,
        other_cores=(*(other.core for other in others), *(_reordered(stem) if version >= 2 else ())),
        former=tuple(found.group(1) for content in aside if (found := _FORMER.fullmatch(content))),
    )


def is_nameless(name: CompanyName) -> bool:
    """Whether it says nothing but a place or a legal form (扬州, 有限公司), by which nobody could be told from another."""
    return not name.core or is_place(name.normalised) or not strip_form(name.normalised, VERSION)[0]


def relation_of(one: CompanyName, other: CompanyName) -> Relation:
    """How the places of two names with the same identity stand to each other: same and unknown are compatible."""
    is_narrow = one.is_generic or other.is_generic
    if is_narrow and one.said.province and other.said.province and (one.said.city is None) != (other.said.city is None):
        return "other_city"  # 江苏省印花公司 sits in 南京 and is not 南京市印花公司
    return relation(one.region, other.region, is_narrow=is_narrow)


def _is_aside(content: str, is_in_front: bool) -> bool:
    if content in _GONE or content in _NATIONS or _FORMER.fullmatch(content):
        return True
    return not is_in_front and is_place(content)


def _places(aside: list[str]) -> list[str]:
    return [content for content in aside if content not in _GONE and content != "中国" and not _FORMER.fullmatch(content)]


def _own_steps(parent: str, seat: Region, *, is_strict: bool, version: int) -> list[Step]:
    """The places in front of a name. Next to a place in brackets only one that agrees: in 北京瑞丽(上海) 北京 is the brand's."""
    steps = steps_into(parent, seat, version)
    return [] if is_strict and steps and relation(steps[0].region, seat) in ("other_province", "other_city") else steps


class _Stem(NamedTuple):
    region: Region
    brand: str
    trade: str
    legal_form: str

    @property
    def core(self) -> str:
        return self.brand + self.trade


def _stems(parent: str, steps: list[Step], version: int) -> list[_Stem]:
    """What follows the region that the name begins with; if its last place is doubtful, also what that place begins.

    A doubtful place is given back when nothing but trade would be left (西安 长安汽车公司 is 长安汽车, not 汽车), any place when
    nothing at all would be left.
    """
    read = [_read(parent, 0, Region(), version)] + [_read(parent, step.end, step.region, version) for step in steps]
    for index in range(len(steps), 0, -1):
        if read[index].brand or (read[index].trade and steps[index - 1].is_sure):
            return [read[index]] if steps[index - 1].is_sure else [read[index], read[index - 1]]
    return [read[0] if read[0].core else _Stem(Region(), parent, "", "")]


def _read(parent: str, start: int, region: Region, version: int) -> _Stem:
    text, legal_form = strip_form(parent[start:], version)
    text = text.replace("集团", "") or text
    brand, trade = split_trade(_in_one_spelling(text) if version >= 2 else text, version)
    return _Stem(region, brand, trade, legal_form)


def _reordered(stem: _Stem) -> list[str]:
    """The core with the words of its trade in a fixed order: 东方投资担保 is 东方担保投资. Of a million registered names fewer
    than a dozen have such a twin in their city."""
    words = trade_words(stem.trade, 2) if stem.brand else []
    core = stem.brand + "".join(sorted(words))
    return [core] if len(words) > 1 and core != stem.core else []


def _in_one_spelling(text: str) -> str:
    for spelling, word in _ONE_WORD:
        text = text.replace(spelling, word)
    return text + "工" if text.endswith("加") else text  # what is left of 加工厂 to who takes 工厂 for its form


def _split_branch(body: str, seat: Region) -> tuple[str, str]:
    """Parent and branch; without a 公司 between them the branch begins at its place: 五环通讯扬州分公司."""
    parent, branch = split_branch(body)
    if branch and is_loose(branch) and not parent.endswith("公司"):
        for start in range(2, len(parent) - 1):
            steps = steps_into(parent[start:] + branch, seat)
            if steps and steps[-1].end >= len(parent) - start and not steps_into(parent[:start], seat):
                return parent[:start], parent[start:] + branch
    return parent, branch


def _label(branch: str, steps: list[Step], region: Region) -> str:
    """The branch without what the region says: 深圳市分行 and 深圳分行 of a bank in 深圳 are both 分行."""
    if not steps:
        return branch
    place = steps[-1].region
    codes = [code for code in (place.city or place.province, place.county) if code and code != region.city]
    return "".join(map(title_of, codes)) + (place.town or "") + branch[steps[-1].end :]
