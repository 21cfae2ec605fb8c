"""From where and with what somebody asks."""

from ipaddress import ip_network
from uuid import uuid4

import pytest
from starlette.requests import Request

from gateway.clients import Clients, kind_of, network_of, shown_address
from gateway.limits import RateLimit, TooManyRequests
from gateway.names import TakenNames
from services.contracts.errors import CaptchaRequired, LoginTaken, WrongCredentials

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def clients(failures: int = 3) -> Clients:
    return Clients(OURS, RateLimit(0.001, failures), RateLimit(0.001, 2))


def request_from(peer: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return Request({"type": "http", "client": (peer, 4711), "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7"),  # nobody of ours says so
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("192.0.2.9, 198.51.100.1",), "198.51.100.1"),  # what stands before it is made up
        ("10.0.0.1", ("192.0.2.9", "198.51.100.1, 10.0.0.2"), "198.51.100.1"),
        ("fd00::1", ("2001:db8::5",), "2001:db8::5"),
        ("10.0.0.1", ("not an address",), "unknown"),
        ("10.0.0.1", (), "10.0.0.1"),
    ],
)
def test_a_forwarded_address_is_believed_of_our_own_proxies_alone(peer: str, forwarded: tuple[str, ...], address: str) -> None:
    assert clients().address_of(request_from(peer, *forwarded)) == address


def test_a_network_of_ipv6_is_one_client() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::1") != network_of("2001:db8:1:3::4")
    assert network_of("::ffff:203.0.113.7") == network_of("203.0.113.7") != network_of("203.0.113.8")


def test_only_the_network_of_an_address_is_shown() -> None:
    assert shown_address("203.0.113.77") == shown_address("::ffff:203.0.113.77") == "203.0.113.*"
    assert shown_address("2001:db8:1:2:3::4") == "2001:db8:1::*"
    assert shown_address("unknown") == "unknown"


CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        (CHROME, "Chrome on Windows"),
        (f"{CHROME} Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0", "WeChat on iPhone"),
        ("curl/8.5.0", "curl"),
        ("<script>alert(1)</script> Linux", "A program on Linux"),
        ("something new", None),
    ],
)
def test_nothing_that_a_client_makes_up_is_kept(user_agent: str, kind: str | None) -> None:
    assert kind_of(user_agent) == kind


def test_failures_of_an_address_cost_it_a_captcha_and_successes_nothing() -> None:
    ours, here, there = clients(), request_from("203.0.113.7"), request_from("203.0.113.8")
    for _ in range(20):
        with ours.trying(here, has_captcha=False):
            pass
    for _ in range(3):
        with pytest.raises(WrongCredentials), ours.trying(here, has_captcha=False):
            raise WrongCredentials()
    with pytest.raises(CaptchaRequired), ours.trying(here, has_captcha=False):
        raise AssertionError("it was let in")
    with ours.trying(here, has_captcha=True), ours.trying(there, has_captcha=False):
        pass


def test_captchas_of_an_address_have_a_limit() -> None:
    ours = clients()
    for _ in range(2):
        ours.take_captcha(request_from("203.0.113.7"))
    with pytest.raises(TooManyRequests):
        ours.take_captcha(request_from("203.0.113.7"))
    ours.take_captcha(request_from("203.0.113.8"))


def test_who_has_heard_often_that_a_name_is_taken_waits_before_he_asks_again() -> None:
    names, somebody, another = TakenNames(RateLimit(0.001, 2)), uuid4(), uuid4()
    for _ in range(5):
        with names.asking(somebody):
            pass
    with names.asking(somebody) as asked:
        asked.is_taken = True
    with pytest.raises(LoginTaken), names.asking(somebody):
        raise LoginTaken()
    with pytest.raises(TooManyRequests), names.asking(somebody):
        pass
    with names.asking(another):
        pass
