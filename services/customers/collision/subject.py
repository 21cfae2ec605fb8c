"""What an entry or a search is compared by: its names taken apart, its numbers read, its credit code."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.customers.collision import near_keys
from services.customers.collision.contacts import contact_of
from services.customers.collision.keys import parse_credit_code
from services.customers.collision.names import IN_ORDER, VERSION, CompanyName, decompose
from services.customers.collision.nearness import SHORTEST_INSIDE, is_short_form, said
from services.customers.collision.numbers import Number, parse
from services.customers.collision.reach import mail_domain_of, site_of

KeyKind = Literal["core", "brand", "short", "number", "code", "site", "mail", "contact"]


MOST_FORMER = 2
"""Earlier names (原…) that are read of one name; more of them are no name of a company."""


class Key(NamedTuple):
    """Under what a customer is filed. `detail` is what `key` leaves out: a number's area code, a name's place, where known.

    Whoever looks up or locks the key meets everybody with it, whatever was known on either side; the detail says who comes
    first where there are many. A brand is looked up only by a name that says no trade (五环), and the core of such a name by
    those that say one (五环印花). A name without a legal form is filed as a short one besides. A contact is a person with a
    mobile.
    """

    kind: KeyKind
    key: str
    detail: str = ""


class Pattern(NamedTuple):
    """Keys of one kind that begin with these characters and hold the rest of the core in its order; `detail` as of a key."""

    kind: KeyKind
    start: str
    core: str
    detail: str


@dataclass(frozen=True, slots=True)
class Subject:
    """`names`: the one on the licence first, then aliases and former names. `older`: the same by the rules of a former version,
    as long as customers are filed by them."""

    names: tuple[CompanyName, ...] = ()
    older: tuple[CompanyName, ...] = ()
    phones: tuple[Number, ...] = ()
    faxes: tuple[Number, ...] = ()
    credit_codes: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    """Contact persons, to be met together with a mobile only."""

    @property
    def keys(self) -> frozenset[Key]:
        """Under which it is filed."""
        found = {Key("brand", name.brand, seat_of(name)) for name in self.names if name.brand}
        found |= {Key("short", name.core, seat_of(name)) for name in self.names if is_short_form(name)}
        return self._identities(self.names) | found

    @property
    def identities(self) -> frozenset[Key]:
        """Which no two customers may share without a person having a look: what an entry locks."""
        return self._identities((*self.names, *self.older))

    @property
    def wanted(self) -> frozenset[Key]:
        """By which others are looked up."""
        named = [name for name in (*self.names, *self.older) if name.brand]
        found = {Key("core", name.with_branch(name.brand), seat_of(name)) for name in named if name.trade}
        found |= {Key("brand", name.brand, seat_of(name)) for name in named if not name.trade}
        return self.identities | found | {Key("core", name.core, seat_of(name)) for name in self.names if name.branch}

    @property
    def patterns(self) -> frozenset[Pattern]:
        """By which short forms are looked up, and by a short form those that it may stand for."""
        found = set()
        for name in self.names:
            core, seat = said(name.core), seat_of(name)
            starts = range(max(1, len(core) - SHORTEST_INSIDE + 1)) if 2 <= len(core) <= near_keys.LONGEST else range(0)
            found |= {Pattern("short", f"{nation}{core[at : at + 2]}", "", seat) for at in starts for nation in ("", "中国")}
            if is_short_form(name):
                found |= {Pattern("core", f"{nation}{core[:2]}", core[2:], seat) for nation in ("", "中国")}
        return frozenset(found)

    @property
    def fragments(self) -> frozenset[str]:
        """Short forms that may stand in the middle of a name."""
        short = (said(name.core) for name in self.names if is_short_form(name))
        return frozenset(core for core in short if len(core) >= SHORTEST_INSIDE)

    @property
    def near(self) -> frozenset[int]:
        """Keys by which those are looked up whose names come near, see `near_keys`."""
        scattered = self.names if self.older else ()
        former = {key for name in scattered for key in near_keys.wanted(name, IN_ORDER - 1)}
        return frozenset(key for name in self.names for key in near_keys.wanted(name)) | former

    def joined(self, others: "Iterable[Subject]") -> "Subject":
        """With what is known of the same company besides."""
        all_of_it = [self, *others]
        parts = {field: tuple(item for each in all_of_it for item in getattr(each, field)) for field in self.__slots__}
        return Subject(**parts)

    def _identities(self, names: Iterable[CompanyName]) -> frozenset[Key]:
        found = {Key("core", identity, seat_of(name)) for name in names for identity in identities_of(name)}
        numbers = [number for number in (*self.phones, *self.faxes) if is_ones_own(number)]
        found |= {Key("number", number.bare, number.key or "") for number in numbers}
        found |= {Key("code", code) for code in self.credit_codes}
        found |= {Key("site", site) for site in self.sites} | {Key("mail", mail) for mail in self.mails}
        mobiles = [number.local for number in numbers if number.kind == "mobile"]
        return frozenset(found | {Key("contact", f"{person} {mobile}") for person in self.people for mobile in mobiles})


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
    website: str | None = None,
    email: str | None = None,
    contact_person: str | None = None,
    province: str | None = None,
    city: str | None = None,
    oldest: int = VERSION,
) -> Subject:
    """From what was typed. A credit code that is none is left out: refusing it is for whoever takes the entry.

    `oldest`: the oldest version by whose rules a customer is still filed.
    """
    typed = list(names)
    return Subject(
        names=names_of(typed, province, city),
        older=tuple(name for version in range(oldest, VERSION) for name in names_of(typed, province, city, version)),
        phones=parse(phone, city, province) if phone else (),
        faxes=parse(fax, city, province) if fax else (),
        credit_codes=_present(parse_credit_code(credit_code or "")),
        sites=_present(site_of(website or "")),
        mails=_present(mail_domain_of(email or "")),
        people=_present(contact_of(contact_person or "")),
    )


def _present(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


def names_of(names: Iterable[str], province: str | None, city: str | None, version: int = VERSION) -> tuple[CompanyName, ...]:
    """Names taken apart, with those that stand in them as former ones (原…)."""
    read = [decompose(name, province, city, version) for name in names]
    return (*read, *(decompose(former, province, city, version) for name in read for former in name.former[:MOST_FORMER]))
