"""Under which host a company is reached on the net, as far as the host tells it from others: its website, its mail.

What many share tells nothing: free mail, a shop platform without the shop's own name.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_FREE_MAIL = Path(__file__).parent / "data" / "free_mail.txt"

# Suffixes of two labels, by the last one, as far as we meet them; the whole list of the world is at publicsuffix.org
_SECOND_LEVELS = {
    "cn": """com net org gov edu ac mil bj sh tj cq he sx nm ln jl hl js zj ah fj jx sd ha hb hn gd gx hi sc gz yn xz sn gs qh nx
        xj tw hk mo xn--55qx5d xn--io0a7i xn--od0alg""",
    "hk": "com net org gov edu idv",
    "tw": "com net org gov edu idv game ebiz club",
    "mo": "com net org gov edu",
    "uk": "co org net ltd plc me ac gov nhs sch",
    "jp": "co ne or ac ad ed go gr lg",
    "kr": "co ne or re pe ac go",
    "th": "co in or ac go net",
    "id": "co or web ac go my biz",
    "in": "co net org firm gen ind ac gov",
    "nz": "co net org ac govt",
    "za": "co net org ac gov",
    "il": "co net org ac gov",
}
_LIKE_COM = "au sg my vn ph br mx ar tr pk bd lk kh mm np sa eg ng co ua pe"
_SUFFIXES = frozenset(
    f"{second}.{top}"
    for top, seconds in (*_SECOND_LEVELS.items(), *((top, "com net org gov edu") for top in _LIKE_COM.split()))
    for second in seconds.split()
)

_SHOP_HOSTS = """
1688.com alibaba.com aliexpress.com taobao.com tmall.com tmall.hk jd.com suning.com weidian.com youzan.com dhgate.com
hc360.com made-in-china.com globalsources.com china.cn b2b168.com makepolo.com hisupplier.com huangye88.com 11467.com 912688.com
ec21.com ecplaza.net tradekey.com cnpack.org qzone.qq.com blog.163.com blog.sohu.com blog.sina.com.cn blogspot.com wordpress.com
github.io gitee.io gitlab.io netlify.app vercel.app pages.dev web.app wixsite.com weebly.com myshopify.com shopline.com
shoplazza.com
"""
_SHOPS = frozenset(_SHOP_HOSTS.split())
"""Platforms on which the label in front is the owner."""

_PART_WORDS = """
www ww w m wap h5 mobile 3g i cn en zh us de fr es ru jp kr world global v b2b b2c shop shops store stores mall detail item list
search s so login passport account member my work home about help news blog info page pages company corp winport offer
trade sale sales go img cdn static spanish russian french german japanese korean arabic portuguese italian
"""
_PARTS = frozenset(_PART_WORDS.split())
"""Parts of such platforms, not their customers."""

_EVERYBODYS_HOSTS = """
weibo.com weibo.cn zhihu.com bilibili.com douyin.com kuaishou.com xiaohongshu.com pinduoduo.com yangkeduo.com dianping.com
meituan.com baidu.com so.com bing.com google.com qcc.com qichacha.com tianyancha.com facebook.com linkedin.com instagram.com
twitter.com x.com youtube.com tiktok.com pinterest.com amazon.com amazon.cn ebay.com github.com gitee.com wikipedia.org
"""
_EVERYBODYS = frozenset(_EVERYBODYS_HOSTS.split())
"""Where, if at all, the path says who it is."""

_PUBLIC = re.compile(r"pub(?:lic)?\d*")
"""The operators' mail hosts of the early years: public.yz.js.cn served all of Yangzhou."""

_TIDY = str.maketrans({"。": ".", **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad")})
_LEAD = re.compile(r"(?:(?:网址|官网|网站|主页|website|web|url)\s*:\s*)?(?:(?:https?|ftp)\s*[:;.]?\s*[/\\]+\s*|//)*")
_HOST = re.compile(r"([\w.\-]*+)(?!@)")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOP = re.compile(r"[a-z]{2,}|xn--[a-z0-9-]+")
_LONGEST = 253  # RFC 1035
_NO_TOPS = frozenset(
    {"localhost", "localdomain", "local", "lan", "internal", "invalid", "html", "htm", "php", "asp", "aspx", "jsp"}
)


def site_of(website: str) -> str | None:
    """The host that tells a website's owner: http://www.WuHuan.com.cn/about → wuhuan.com.cn, m.wuhuan.1688.com → wuhuan.1688.com.

    None where it tells nobody: no host with a dot, an IP address, a mail address, a platform as such (weibo.com/wuhuan).
    Punycode for what is not ASCII. Of several in one field, the first.
    """
    labels = _labels(_host_in(_plain(website)))
    return _owner(labels) if labels else None


def mail_domain_of(email: str) -> str | None:
    """The domain that a company's mail has for itself: Wang <wang@mail.wuhuan.com> → wuhuan.com; None for free mail.

    Of several addresses in one field, the first that tells something.
    """
    hosts = (_labels(_host_in(part)) for part in _plain(email).split("@")[1:])
    domains = (_own_domain(labels) for labels in hosts if labels)
    return next((domain for domain in domains if domain and domain not in _SHOPS), None)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().translate(_TIDY).strip()


def _host_in(plain: str) -> str:
    """What may be a host at the front, behind a scheme; nothing where it is the name in front of an @."""
    start = _LEAD.match(plain.lstrip())
    found = _HOST.match(plain.lstrip(), start.end() if start else 0)
    return found.group(1).rstrip(".") if found else ""


def _labels(host: str) -> list[str]:
    """The host's labels in ASCII; none when it is not a name with a dot."""
    try:
        labels = host.encode("idna").decode().lower().split(".") if len(host) <= _LONGEST else []
    except UnicodeError:
        return []
    is_name = len(labels) > 1 and all(map(_LABEL.fullmatch, labels)) and _TOP.fullmatch(labels[-1])
    return labels if is_name and labels[-1] not in _NO_TOPS else []


def _owner(labels: Sequence[str]) -> str | None:
    for start in range(len(labels)):
        platform = ".".join(labels[start:])
        if platform in _SHOPS:
            names = [label for label in labels[:start] if label not in _PARTS]
            return f"{names[-1]}.{platform}" if names else None
    return _own_domain(labels)


def _own_domain(labels: Sequence[str]) -> str | None:
    """The registrable domain, unless it is everybody's."""
    size = 3 if ".".join(labels[-2:]) in _SUFFIXES else 2
    domain = ".".join(labels[-size:])
    if len(labels) < size or labels[-size] == "www" or domain in _EVERYBODYS or _is_free_mail(domain):
        return None
    return None if any(map(_PUBLIC.fullmatch, labels[:-size])) else domain


def _is_free_mail(domain: str) -> bool:
    return domain in _free_mail() or f"{domain.partition('.')[0]}.*" in _free_mail()


@cache
def _free_mail() -> frozenset[str]:
    lines = _FREE_MAIL.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
