"""What an entry or a search is compared by: its names taken apart, its numbers read, its credit code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.customers.collision.keys import parse_credit_code
from services.customers.collision.names import CompanyName, decompose
from services.customers.collision.numbers import Number, parse

KeyKind = Literal["core", "number", "code"]


class Key(NamedTuple):
    """Under what a customer is filed. Of a number `key` has no area code, and `detail` has it where it is known.

    Whoever looks up or locks the bare digits meets everybody with them, whatever was known of the area on either side.
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
    credit_code: str | None = None

    @property
    def keys(self) -> frozenset[Key]:
        found = {Key("core", identity) for name in self.names for identity in identities_of(name)}
        found |= {Key("number", number.bare, number.key or "") for number in (*self.phones, *self.faxes)}
        return frozenset(found | ({Key("code", self.credit_code)} if self.credit_code else set()))


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
        credit_code=parse_credit_code(credit_code) if credit_code else None,
    )


def names_of(names: Iterable[str], province: str | None, city: str | None) -> tuple[CompanyName, ...]:
    """Names taken apart, with those that stand in them as former ones (原…)."""
    read = [decompose(name, province, city) for name in names]
    return (*read, *(decompose(former, province, city) for name in read for former in name.former))
