"""A website and a mail address tell whose they are, unless they are everybody's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.customers.collision import reach
from services.customers.collision.reach import mail_domain_of, site_of

NOISE = st.text() | st.text("abw.@:/\\-_?#[]（）。．·１６８comnxl-中国İßſ\u200b\ud800 ", max_size=60)
LABEL = st.from_regex(r"[a-z][a-z0-9]{3,10}[0-9]", fullmatch=True)
SUFFIXES = "com cn com.cn bj.cn net org.cn com.hk com.tw co.uk co.jp de info biz top vip shop tech cc co hk tw"
SUFFIX = st.sampled_from(SUFFIXES.split())
FREE_MAIL = """
qq.com vip.qq.com foxmail.com 163.com vip.163.com 126.com yeah.net 188.com sina.com sina.cn vip.sina.com sina.com.cn sohu.com
tom.com 21cn.com 139.com 189.cn wo.cn aliyun.com 263.net eyou.com gmail.com hotmail.com hotmail.co.uk outlook.com outlook.jp
live.cn live.com yahoo.com yahoo.com.cn yahoo.co.jp icloud.com me.com msn.com proton.me protonmail.com public.yz.js.cn
public1.ptt.js.cn service.alibaba.com wuhuan.1688.com
"""


def wide(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


@pytest.mark.parametrize(
    "typed",
    [
        "wuhuan.com.cn",
        "www.wuhuan.com.cn",
        "WWW.WuHuan.COM.CN",
        "http://www.wuhuan.com.cn",
        "https://wuhuan.com.cn:8443/about.html?x=http://other.com#top",
        "http://http://www.wuhuan.com.cn/",
        "http//www.wuhuan.com.cn",
        "http:\\\\www.wuhuan.com.cn\\",
        "//m.wuhuan.com.cn",
        "wap.wuhuan.com.cn/",
        "cn.shop.wuhuan.com.cn",
        "ｗｗｗ．ｗｕｈｕａｎ．ｃｏｍ．ｃｎ",
        "www。wuhuan。com。cn",
        "网址：www.wuhuan.com.cn（官网）",
        "\u200bwww.wuhuan.com.cn.",
        "www.wuhuan.com.cn, www.other.com",
    ],
)
def test_a_site_is_the_same_however_it_is_typed(typed: str) -> None:
    assert site_of(typed) == "wuhuan.com.cn"


@pytest.mark.parametrize(
    ("typed", "site"),
    [
        ("a.wuhuan.cn", "wuhuan.cn"),
        ("a.wuhuan.js.cn", "wuhuan.js.cn"),
        ("a.wuhuan.公司.cn", "wuhuan.xn--55qx5d.cn"),
        ("a.wuhuan.com.hk", "wuhuan.com.hk"),
        ("a.wuhuan.hk", "wuhuan.hk"),
        ("a.wuhuan.co.uk", "wuhuan.co.uk"),
        ("a.wuhuan.co.jp", "wuhuan.co.jp"),
        ("a.wuhuan.co", "wuhuan.co"),
        ("a.wuhuan.de", "wuhuan.de"),
        ("a.wuhuan.vip", "wuhuan.vip"),
    ],
)
def test_the_suffix_decides_what_the_owner_registered(typed: str, site: str) -> None:
    assert site_of(typed) == site


def test_a_chinese_domain_is_its_punycode() -> None:
    assert site_of("www.中国.cn") == site_of("xn--fiqs8s.cn") == site_of("XN--FIQS8S.CN") == "xn--fiqs8s.cn"
    assert site_of("www.五环.中国") == "五环.中国".encode("idna").decode()


@pytest.mark.parametrize(
    ("typed", "site"),
    [
        ("https://wuhuan.1688.com/page/offerlist.htm", "wuhuan.1688.com"),
        ("m.wuhuan.1688.com", "wuhuan.1688.com"),
        ("wuhuan.en.alibaba.com", "wuhuan.alibaba.com"),
        ("wuhuan.m.taobao.com", "wuhuan.taobao.com"),
        ("wuhuan.b2b.hc360.com", "wuhuan.hc360.com"),
        ("cn.wuhuan.made-in-china.com", "wuhuan.made-in-china.com"),
        ("wuhuan.github.io/site", "wuhuan.github.io"),
        ("wuhuan.blog.163.com", "wuhuan.blog.163.com"),
    ],
)
def test_on_a_platform_the_owner_is_the_label_in_front(typed: str, site: str) -> None:
    assert site_of(typed) == site


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "1688.com",
            "www.1688.com",
            "detail.1688.com/offer/1.html",
            "shop.m.taobao.com",
            "b2b.hc360.com",
            "github.io",
            "en.alibaba.com",
        ),
        *(
            "weibo.com/wuhuan",
            "e.weibo.com/wuhuan",
            "baidu.com",
            "blog.sina.com.cn/wuhuan",
            "qq.com",
            "163.com",
            "public.yz.js.cn",
        ),
        *(
            "192.168.1.1",
            "http://8.8.8.8:80/",
            "[::1]",
            "0x7f.1",
            "localhost",
            "http://localhost:8000/a.b",
            "intranet",
            "pc.local",
        ),
        *(
            "",
            "无",
            "-",
            "www",
            "www.",
            ".com",
            "com.cn",
            "www.com.cn",
            "www..com",
            "index.html",
            "wang.ming@wuhuan.com",
            "wuhuan",
            "a.b",
        ),
        f"{'a' * 64}.com",
        f"{'a.' * 200}com",
    ],
)
def test_what_tells_nobody_is_none(typed: str) -> None:
    assert site_of(typed) is None


@pytest.mark.parametrize(
    "typed",
    [
        *("wang@wuhuan.com", "Wang@WuHuan.COM", "wang@mail.wuhuan.com", "王明 <wang@wuhuan.com>", "mailto:wang@wuhuan.com"),
        *(
            "ｗａｎｇ＠ｗｕｈｕａｎ．ｃｏｍ",
            " wang @ wuhuan.com ",
            "wang@qq.com; sales@wuhuan.com",
            "wang@wuhuan.com/li@other.com",
            "a@@wuhuan.com",
        ),
    ],
)
def test_a_company_s_mail_is_its_domain(typed: str) -> None:
    assert mail_domain_of(typed) == "wuhuan.com"


@pytest.mark.parametrize("domain", FREE_MAIL.split())
def test_free_mail_tells_nobody(domain: str) -> None:
    assert mail_domain_of(f"wang@{domain}") is None


def test_a_domain_that_looks_like_free_mail_is_its_owner_s() -> None:
    assert mail_domain_of("wang@myqq.com") == "myqq.com"
    assert mail_domain_of("wang@hotmail-print.com") == "hotmail-print.com"
    assert mail_domain_of("wang@qq.com.cn") == "qq.com.cn"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "wang",
        "wang@",
        "wuhuan.com",
        "wang@wuhuan",
        "wang@localhost",
        "wang@127.0.0.1",
        "wang@com.cn",
        "@@@",
        "wang@.com",
        "wang@-wuhuan-.com",
    ],
)
def test_what_is_no_address_is_none(typed: str) -> None:
    assert mail_domain_of(typed) is None


def test_what_is_listed_is_registrable() -> None:
    for domain in reach._free_mail():
        assert mail_domain_of(f"wang@{domain.replace('*', 'com')}") is None
        assert domain.endswith(".*") or reach._labels(domain), domain
    for host in (*reach._SHOPS, *reach._EVERYBODYS):
        assert site_of(host) is site_of(f"www.{host}/") is None


@given(NOISE)
@settings(deadline=None)
def test_no_text_raises_and_a_site_is_its_own_site(text: str) -> None:
    for site in (
        site_of(text),
        site_of(f"http://{text}"),
        site_of(f"{text}.com"),
        mail_domain_of(text),
        mail_domain_of(f"a@{text}.cn"),
    ):
        if site is not None:
            assert site.isascii()
            assert "." in site
            assert site_of(site) == site


@given(
    LABEL,
    SUFFIX,
    st.sampled_from(["", "http://", "https://", "//"]),
    st.sampled_from(["", "www.", "m.", "cn."]),
    st.sampled_from(["", "/", ":80", "/a.b", "?q"]),
)
@settings(deadline=None)
def test_case_width_and_what_is_around_it_do_not_matter(label: str, suffix: str, scheme: str, front: str, end: str) -> None:
    typed = f"{scheme}{front}{label}.{suffix}{end}"

    assert site_of(typed) == site_of(typed.upper()) == site_of(wide(typed)) == f"{label}.{suffix}"
    assert (
        mail_domain_of(f"wang@{front}{label}.{suffix}") == mail_domain_of(wide(f"WANG@{label}.{suffix}")) == f"{label}.{suffix}"
    )
