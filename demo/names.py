"""The companies of the story. Names collide system-wide, so on a system in use each run has brands and numbers of its own.

A template marks in braces what is the company's own: 扬州{五环}印花厂, 0514-{2398577}. Each of these characters stands for
one other throughout a run, so 瑞丽 and 锦丽 still differ in one character, and 环 and 環 are still one.
"""

import random
import re
import unicodedata
from collections.abc import Callable

# Frequent in brands; no two of them make a place or a trade.
CHARACTERS = (
    "鸿腾飞兴隆盛昌荣祥瑞华锦绣嘉诺达恒泰信诚联鑫磊森淼晶旭晨曦曜辉煌耀明轩宇翔鹏程驰骏骥麒麟凤凰龙虎豹鹤鹰雁燕莺梅兰竹菊松柏桂枫桐杏桃李棠莲荷萍"
    "芸芳蕾薇蔓琳琅瑜瑾璇玑珏珊瑚玥玲珑琪琦瑛璐璞钰铭锐锋钧铎锴镇钢卓越超凡奇妙智慧睿哲博雅颂韵律诗墨砚笔翰文渊源浩瀚波涛沧澜涵润泽沛霖霏霓虹云霞霁雪霜露"
    "岚峰岳峻峙巍屹立勤俭朴厚德仁义礼孝忠勇毅刚健雄伟壮丽娇媛婷娜妍姝婉静淑贤惠慈祺祯福禄寿禧喜庆欢乐怡悦舒畅逸闲适宁和谐睦顺利丰裕富饶盈满聚汇融广纵横驭御策谋略筹算"
)
TRADITIONAL = dict(zip("鹏骏龙凤腾飞兴达锦绣轩鹤鹰莲润泽丰颂铭锐", "鵬駿龍鳳騰飛興達錦繡軒鶴鷹蓮潤澤豐頌銘銳", strict=True))
IN_BOTH_SPELLINGS = {"环": "環"}
MARKED = re.compile(r"\{([^}]*)\}")
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def is_number(word: str) -> bool:
    return unicodedata.normalize("NFKC", word).isdecimal()


class Names:
    """Fills in templates. `own`: with brands and numbers of this run instead of the written ones."""

    def __init__(self, *, own: bool) -> None:
        self.is_own, self.random = own, random.Random()
        self.words: dict[str, str] = {}
        self.taken: set[str] = set()

    def __call__(self, template: str) -> str:
        return MARKED.sub(lambda found: self._fill(found[1]), template)

    def _fill(self, word: str) -> str:
        if not self.is_own:
            return word
        if not is_number(word):
            return "".join(self.words[character] for character in word)
        number = self.words[unicodedata.normalize("NFKC", word)]
        return number if word.isascii() else number.translate(WIDE)

    def draw(self, templates: list[str], is_free: Callable[[str], bool]) -> None:
        """Chooses this run's own words for these templates: each brand and number of them is free. Raises LookupError."""
        if not self.is_own:
            return
        words = [word for template in templates for word in MARKED.findall(template)]
        for _ in range(50):
            self.words = self._drawn({unicodedata.normalize("NFKC", word) for word in words})
            if all(is_free(self._fill(word)) for word in dict.fromkeys(words)):
                return
        raise LookupError("no free names were found")

    def _drawn(self, words: set[str]) -> dict[str, str]:
        numbers = sorted(filter(is_number, words))
        characters = sorted(set("".join(words)) - set("".join(numbers)) - set(IN_BOTH_SPELLINGS.values()))
        drawn = {number: str(self.random.randrange(2_000_000, 9_000_000)) for number in numbers}
        double = self.random.sample(sorted(TRADITIONAL), len(IN_BOTH_SPELLINGS))
        single = self.random.sample(sorted(set(CHARACTERS) - set(TRADITIONAL)), len(characters))
        drawn |= dict(zip(characters, single, strict=True))
        for (simple, other), chosen in zip(IN_BOTH_SPELLINGS.items(), double, strict=True):
            drawn |= {simple: chosen, other: TRADITIONAL[chosen]}
        return drawn

    def another(self, place: str = "扬州", trade: str = "机械", form: str = "厂") -> str:
        """A company that nobody has heard of yet."""
        while (brand := "".join(self.random.sample(CHARACTERS, 4))) in self.taken:
            pass
        self.taken.add(brand)
        return f"{place}{brand}{trade}{form}"
