"""Legal forms at the end of a name, and branches behind a parent's name.

The form says little about identity: 上海市瑞丽服装有限公司 and 上海瑞丽服装厂 are one customer, and traders switch between
有限公司, 商行 and 经营部 as they please.
"""

import re

_FORM_WORDS = """
股份有限责任公司 有限责任公司 股份有限公司 有限股份公司 股份合作公司 股份公司 有限公司 集团总公司 集团公司 总公司 合作公司
公司 有限责任 股份 有限 集团 企业集团 总厂 厂 中心 经营部 经销部 批发部 门市部 门市 营业部 供销部 销售部 零售部 经理部
经销处 经营处 商行 贸易行 商店 商号 店 总店 专卖店 经营店 零售店 批发店 直销店 工作室 个体工商户 个体户 个体
有限合伙企业 合伙企业 个人独资企业 独资企业
"""
_LATIN_WORDS = """
companylimited coltd limited ltd incorporated inc coinc gmbhcokg gmbh llc llp plc corporation corp company pteltd coptyltd
ptyltd sdnbhd bhd srl
"""
_FORMS = frozenset(_FORM_WORDS.split())
_LATIN = frozenset(_LATIN_WORDS.split())
_LONGEST = max(map(len, _FORMS | _LATIN))
_ENDINGS = frozenset(form[-1] for form in _FORMS | _LATIN) | {"部"}
_SINCE_2 = ("控股", "控股集团")
_SOCIETIES = ("合作社", "信用社", "供销社", "联社")
"""Since version 2 their 社 is the form: a 供销合作社 becomes a 供销合作有限公司."""
_ONLY_LAST = ("服务部", "加工部", "维修部", "修理部", "制作部")
"""Here 部 is the form, what precedes it the trade."""
_NO_FORMS = ("酒店", "饭店", "书店", "药店", "旅店", "客店", "粮店", "花店", "茶店", "面店")
"""They end like a form and are what the company does."""

_PARENT = re.compile(
    "(.{2,}?(?:(?:银行|合作社|信用社|联合社|联社|供销社|集团|厂)?(?:股份|合作){0,2}(?:有限责任|有限)?(?:集团)?总?公司"
    "|银行|合作社|信用社|联合社|联社|供销社))(.+)"
)
_BRANCH_END = re.compile(
    "(?:分公司|支公司|分行|支行|分理处|储蓄所|分社|分店|分厂|分部|支局|办事处|代表处|营业部|营业所|门市部|分销店|加盟店|直营店)$"
)
_OUTLET = re.compile(
    "(?<=[厂社])(?:门市部?|(?:经营|经销|批发|营业|供销|销售|零售|经理)部|(?:经销|经营)处|(?:专卖|经营|零售|批发|直销|总)店|商店|商场|商行)$"
)
_COMPANY_END = re.compile("(?<![分支])公司$")
_LOOSE_BRANCH_END = re.compile("(?:第?[一二三四五六七八九十0-9]+)?(?:分公司|支公司|分行|支行|分社|分店|分厂|办事处|代表处)$")


def strip_form(text: str, version: int) -> tuple[str, str]:
    """A name without its legal form, and the form. Forms stack (瑞丽服装厂有限公司); of a mere form nothing is left."""
    end = len(text)
    while (shorter := _shortened(text, end, version)) is not None:
        end = shorter
    return text[:end], text[end:]


def _shortened(text: str, end: int, version: int) -> int | None:
    if version >= 2 and (shorter := _shortened_since_2(text, end)) is not None:
        return shorter
    if not end or text[end - 1] not in _ENDINGS or text.endswith(_NO_FORMS, 0, end):
        return None
    for length in range(min(_LONGEST, end), 0, -1):
        form = text[end - length : end]
        if form in _FORMS or (form in _LATIN and end - length >= 2):
            return end - length
    return end - 1 if text.endswith(_ONLY_LAST, 0, end) else None


def _shortened_since_2(text: str, end: int) -> int | None:
    if text.endswith(_SOCIETIES, 0, end) and end > max(map(len, _SOCIETIES)):
        return end - 1
    for form in _SINCE_2:
        if text.endswith(form, 0, end) and end > len(form):
            return end - len(form)
    return None


def split_branch(text: str) -> tuple[str, str]:
    """Parent and branch: 瑞丽有限公司上海分公司 → 瑞丽有限公司, 上海分公司. The branch is empty when the name has none.

    Behind 公司 anything is a branch unless it is a company of its own; behind 银行 or 合作社 only what ends like one, because
    上海银行卡服务有限公司 is no branch of 上海银行. An outlet behind 厂 or 社 is one as well: 印花厂门市部 is not the factory.
    """
    found = _PARENT.fullmatch(text)
    if found:
        parent, rest = found.groups()
        is_branch = bool(_BRANCH_END.search(rest)) or (parent.endswith("公司") and not _COMPANY_END.search(rest))
        if is_branch and rest not in ("集团", "股份", "有限", "有限责任"):
            return parent, rest
    loose = _OUTLET.search(text) or _LOOSE_BRANCH_END.search(text)
    return (text[: loose.start()], loose.group()) if loose and loose.start() >= 2 else (text, "")


def is_loose(branch: str) -> bool:
    """A mere branch word, its place not in it: 分公司, 第二分厂."""
    return bool(_LOOSE_BRANCH_END.fullmatch(branch))
