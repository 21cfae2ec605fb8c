"""From where and with what somebody asks: no more of it than he needs to recognise his own sessions."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from fastapi import Request

from gateway.limits import RateLimit, TooManyRequests
from services.contracts.errors import CaptchaRequired, SecondFactorWrong, WrongCredentials

PROGRAMS = (
    ("MicroMessenger", "WeChat"),
    ("DingTalk", "DingTalk"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
)
"""The first that stands in a User-Agent: most name others besides."""
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
PREFIXES = {4: 24, 6: 48}  # of what is shown
HOME = 64  # IPv6: one household or host has a whole network of them


class Clients:
    """Knows addresses, behind proxies that are ours, and how many wrong passwords have come from each of late."""

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network], failures: RateLimit, captchas: RateLimit) -> None:
        self._trusted, self._failures, self._captchas = trusted, failures, captchas

    def address_of(self, request: Request) -> str:
        """The nearest one that is not of our own proxies: whatever stands before it, the client may have made up."""
        told = request.headers.getlist("x-forwarded-for")
        hops = [hop.strip() for line in told for hop in line.split(",")]
        nearest = request.client.host if request.client else ""
        while self._is_ours(nearest) and hops:
            nearest = hops.pop()
        return nearest if is_address(nearest) else "unknown"

    def _is_ours(self, address: str) -> bool:
        return is_address(address) and any(ip_address(address) in network for network in self._trusted)

    def take_captcha(self, request: Request) -> None:
        """Raises TooManyRequests."""
        self._captchas.take(network_of(self.address_of(request)), time.monotonic())

    @contextmanager
    def trying(self, request: Request, *, has_captcha: bool) -> Iterator[None]:
        """A try to log in, which is counted for its address when it fails. After many failures it takes a captcha, which is
        enough: whole offices share an address. Raises CaptchaRequired."""
        who, is_taken = network_of(self.address_of(request)), True
        try:
            self._failures.take(who, time.monotonic())
        except TooManyRequests:
            if not has_captcha:
                raise CaptchaRequired(reason="too many failures from this address") from None
            is_taken = False
        failed = False
        try:
            yield
        except (WrongCredentials, SecondFactorWrong):
            failed = True
            raise
        finally:
            if is_taken and not failed:
                self._failures.give_back(who)


def is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def network_of(address: str) -> str:
    """Whom failures are counted for."""
    if not is_address(address) or not isinstance(found := ip_address(address), IPv6Address):
        return address
    return str(found.ipv4_mapped or ip_network((found, HOME), strict=False))


def shown_address(address: str) -> str:
    """203.0.113.*, 2001:db8:1::*"""
    if not is_address(address):
        return address
    found = ip_address(address)
    plain = found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
    network = ip_network((plain, PREFIXES[plain.version]), strict=False)
    return re.sub(r"(?<=[.:])0?$", "*", str(network.network_address))


def kind_of(user_agent: str) -> str | None:
    """Such as "Firefox on Windows"; nothing that the client has made up is kept."""
    program = next((name for mark, name in PROGRAMS if mark in user_agent), None)
    system = next((name for mark, name in SYSTEMS if mark in user_agent), None)
    return f"{program or 'A program'} on {system}" if system else program
