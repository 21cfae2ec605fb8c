"""What an entry or a search is compared by: its names taken apart, its numbers read, its credit code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.customers.collision.keys import parse_credit_code
from services.customers.collision.names import CompanyName, decompose
from services.customers.collision.numbers import Number, parse

KeyKind = Literal["core", "brand", "number", "code"]


class Key(NamedTuple):
    """Under what a customer is filed. `detail` is what `key` leaves out: a number's area code, a name's place, where known.

    Whoever looks up or locks the key meets everybody with it, whatever was known on either side; the detail says who comes
    first where there are many. A brand is looked up only by a name that says no trade (五环), and the core of such a name by
    those that say one (五环印花).
    """

    kind: KeyKind
    key: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """`names`: the one on the licence first, then aliases and former names."""

    names: tuple[CompanyName, ...] = ()
    phones: tuple[Number, ...] = ()
    faxes: tuple[Number, ...] = ()
    credit_codes: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[Key]:
        """Under which it is filed."""
        return self.identities | {Key("brand", name.brand, seat_of(name)) for name in self.names if name.brand}

    @property
    def identities(self) -> frozenset[Key]:
        """Which no two customers may share without a person having a look: what an entry locks."""
        found = {Key("core", identity, seat_of(name)) for name in self.names for identity in identities_of(name)}
        numbers = (number for number in (*self.phones, *self.faxes) if is_ones_own(number))
        found |= {Key("number", number.bare, number.key or "") for number in numbers}
        return frozenset(found | {Key("code", code) for code in self.credit_codes})

    @property
    def wanted(self) -> frozenset[Key]:
        """By which others are looked up."""
        named = [name for name in self.names if name.brand]
        return self.identities | {Key("core" if name.trade else "brand", name.brand, seat_of(name)) for name in named}

    def joined(self, others: "Iterable[Subject]") -> "Subject":
        """With what is known of the same company besides."""
        all_of_it = [self, *others]
        return Subject(
            names=tuple(name for each in all_of_it for name in each.names),
            phones=tuple(number for each in all_of_it for number in each.phones),
            faxes=tuple(number for each in all_of_it for number in each.faxes),
            credit_codes=tuple(code for each in all_of_it for code in each.credit_codes),
        )


def seat_of(name: CompanyName) -> str:
    """The division code of its city, else of its province; empty where neither is known."""
    return name.region.city or name.region.province or ""


def is_ones_own(number: Number) -> bool:
    """Whether a number belongs to one subscriber: 10086, 95588 and 110 are everybody's."""
    return number.kind != "service" or len(number.local) > 6


def identities_of(name: CompanyName) -> frozenset[str]:
    """The cores that a name may be met by; none when it has no letter or digit."""
    return frozenset({name.identity, *name.other_identities}) if name.core else frozenset()


def subject_of(
    names: Iterable[str],
    *,
    phone: str | None = None,
    fax: str | None = None,
    credit_code: str | None = None,
    province: str | None = None,
    city: str | None = None,
) -> Subject:
    """From what was typed. A credit code that is none is left out: refusing it is for whoever takes the entry."""
    return Subject(
        names=names_of(names, province, city),
        phones=parse(phone, city, province) if phone else (),
        faxes=parse(fax, city, province) if fax else (),
        credit_codes=tuple(filter(None, [parse_credit_code(credit_code)])) if credit_code else (),
    )


def names_of(names: Iterable[str], province: str | None, city: str | None) -> tuple[CompanyName, ...]:
    """Names taken apart, with those that stand in them as former ones (原…)."""
    read = [decompose(name, province, city) for name in names]
    return (*read, *(decompose(former, province, city) for name in read for former in name.former))
