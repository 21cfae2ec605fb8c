"""Telephone numbers for companies that do not exist: the area code is the city's, each number its own, spelt as people spell."""

from functools import cache
from random import Random

from services.customers.collision.divisions import area_code
from services.customers.collision.regions import locate

# Area codes of three digits whose cities have numbers of eight, as operators publish; all of two digits have them.
_LONG_AREAS = """
    310 311 371 379 377 411 431 432 451 510 512 513 514 515 516 517 518 519 523 527 531 532 535 536 539 551 553
    571 573 574 575 576 577 579 580 591 595 731 755 756 757 760 769 771 791 851 871 898 991
"""
_LONG = frozenset(_LONG_AREAS.split())
_SPELLINGS = (
    ["0{area}-{local}"] * 9
    + ["{local}"] * 4
    + ["0{area}{local}", "({area0}){local}", "0{area} {local}", "0{area}－{local}", "0{area}——{local}", "（0{area}）{local}"]
    + ["86-{area}-{local}", "+86 {area} {local}", "0{area}-{local}转{extension}"]
)
_STEP = 4_321_649  # prime, so that a walk by it meets every number once


class Directory:
    """Hands out each number once. Seven digits give a city 7 million of them, eight ten times as many."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.handed_out: dict[str, int] = {}

    def number(self, province: str, city: str) -> str:
        """A number of that city; a mobile where the city is not known."""
        area = area_of(province, city)
        if area is None:
            return f"13{self._next('mobile', 9):09d}"
        digits = 8 if len(area) == 2 or area in _LONG else 7
        local = self._next(area, digits)
        spelling = _SPELLINGS[int(self.random.random() * len(_SPELLINGS))]
        return spelling.format(area=area, area0=f"0{area}", local=local, extension=801 + local % 20)

    def _next(self, area: str, digits: int) -> int:
        """Its first digit is from 2 to 8."""
        place = self.handed_out.get(area)
        if place is None:
            place = self.random.getrandbits(32)
        self.handed_out[area] = place + 1
        unit: int = 10 ** (digits - 1)
        return 2 * unit + place * _STEP % (7 * unit)


@cache
def area_of(province: str, city: str) -> str | None:
    return area_code(locate(province, city))
