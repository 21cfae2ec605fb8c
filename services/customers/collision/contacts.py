"""A contact person's name, as far as it tells one person from another: 王小明经理 is 王小明, and 王经理 could be anybody."""

import re

from services.customers.collision.text import compact, fold, open_brackets

_TITLES = """
先生 女士 小姐 太太 夫人 同志 师傅 老师 阿姨 大哥 大姐 老板 老板娘 老总 经理 副经理 总经理 副总经理 副总 总监 总裁 副总裁 总助
董事长 副董事长 董事 执行董事 主任 副主任 厂长 副厂长 科长 副科长 处长 部长 课长 组长 局长 所长 院长 校长 站长 店长 队长 行长 社长
会长 书记 主管 店主 工程师 总工 会计 出纳 秘书 助理 文员 前台 总机 客服 业务 业务员 销售 销售员 采购 采购员 财务 人事 行政 市场
业务部 销售部 采购部 财务部 人事部 行政部 市场部 生产部 办公室 博士 教授 律师 医生 法人 法人代表 法定代表人 负责人 联系人 经办人
收件人 跟单
"""
_LATIN_TITLES = """
mr mrs ms miss dr prof professor sir madam mister manager director president chairman ceo cfo coo cto gm vp sales purchasing
engineer secretary assistant
"""
_FILLER_WORDS = "没有 不详 未知 暂无 保密 某某 某人 na nil none null unknown test xx xxx"
_SURNAMES = "欧阳 诸葛 司马 上官 司徒 夏侯 东方 皇甫 尉迟 公孙 令狐 慕容 宇文 端木 南宫 西门 轩辕 长孙 申屠 公羊"

_TITLE = "|".join(sorted(_TITLES.split(), key=len, reverse=True))
_AT_FRONT = re.compile(f"^(?:{_TITLE})+")
# Possessive: 总经理 is also 总 and 经理, and going back over each of them would double the time with every repetition.
_AT_END = re.compile(f"(?:{_TITLE}|总)++$")
_LATIN = frozenset(_LATIN_TITLES.split())
_FILLERS = frozenset(_FILLER_WORDS.split())
_WORD = re.compile(r"[a-z]+|[^\W\d_a-z]+")
_SURNAME_ONLY = re.compile(f"[小老]?(?:.|{'|'.join(_SURNAMES.split())})[工董姐哥]?")


def contact_of(person: str) -> str | None:
    """The name compacted, without titles, digits and what stands in brackets behind it; None when nothing telling is left.

    王 tells nothing, nor does 王经理, 王工, 小王 or 欧阳女士: a surname is shared by millions.
    """
    name = person
    for _ in range(8):
        bare = _without_titles(name)
        if bare == name:
            break
        name = bare
    return None if len(name) < 2 or name in _FILLERS or _SURNAME_ONLY.fullmatch(name) else name


def _without_titles(person: str) -> str:
    name, _ = open_brackets(fold(person), lambda _, is_front: not is_front)
    words: list[str] = _WORD.findall(name)
    while words and words[0] in _LATIN:
        del words[0]
    while words and words[-1] in _LATIN:
        del words[-1]
    joined = compact("".join(words))
    return _AT_END.sub("", _AT_FRONT.sub("", joined))
