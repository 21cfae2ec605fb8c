"""Under what an entry is filed, so that the same company is met again by equality alone.

How the database uses them: one narrow table `(kind, value, customer_id)` with a btree; a check asks for all keys of the query at
once. A shared `number` or `credit_code` is identity. A shared `core` is identity when `names.relation_of` the two says
same or unknown; `core` carries no place, because a record that says only its province must still be met. `core_place` is the
narrow form, to be preferred where a core is frequent. A shared `bare` is listed, never decisive by itself.

Fragments (五环 finds 扬州五环印花厂): `names.normalise` of the name is stored, and a GIN index has its `grams`. A fragment of two
or more characters is normalised; its rows are those that have all of its grams (rarest first, `@>`), and
`strpos(normalised, fragment) > 0` confirms the few that are left. A fragment of two characters is one gram: the posting alone
answers. This works in every LC_CTYPE, which pg_trgm does not for Chinese.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from services.customers.collision.names import CompanyName, decompose, normalise
from services.customers.collision.numbers import parse

KeyKind = Literal["core", "core_place", "number", "bare", "credit_code"]

# GB 32100-2015: 17 characters and a check character; the letters I, O, S, V, Z are not used
_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODE = re.compile(rf"(?!0)[{_CODE_ALPHABET}]{{2}}\d{{6}}[{_CODE_ALPHABET}]{{10}}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    kind: KeyKind
    value: str


def keys_of(
    name: str,
    city: str | None,
    phones: Iterable[str],
    faxes: Iterable[str],
    credit_code: str | None,
    province: str | None = None,
) -> set[Key]:
    """All exact keys of an entry. Phones and faxes are one kind: a fax typed as a phone is the same line."""
    keys = name_keys(decompose(name, province, city))
    for field in (*phones, *faxes):
        for number in parse(field, city, province):
            keys.add(Key("bare", number.bare))
            if number.key:
                keys.add(Key("number", number.key))
    code = parse_credit_code(credit_code or "")
    return keys | {Key("credit_code", code)} if code else keys


def name_keys(name: CompanyName) -> set[Key]:
    """The keys of a name taken apart; none when it has no letter or digit."""
    if not name.core:
        return set()
    place = name.region.city or name.region.province or ""
    identities = (name.identity, *name.other_identities)
    return {key for identity in identities for key in (Key("core", identity), Key("core_place", f"{identity}@{place}"))}


def parse_credit_code(text: str) -> str | None:
    """统一社会信用代码 in capitals, or None when it is not one: wrong length, characters or check character."""
    code = "".join(unicodedata.normalize("NFKC", text).upper().split()).replace("-", "")
    if not _CODE.fullmatch(code):
        return None
    total = sum(_CODE_ALPHABET.index(character) * pow(3, index, 31) for index, character in enumerate(code[:17]))
    return code if _CODE_ALPHABET[-total % 31] == code[17] else None


def fragment_of(text: str) -> str:
    """What was typed into the search box, in the form that names are stored in for substring search."""
    return normalise(text)


def grams(text: str) -> frozenset[str]:
    """Pairs of neighbouring characters of a normalised name or fragment; of a single character, that character."""
    return frozenset(text[index : index + 2] for index in range(len(text) - 1)) or frozenset({text} - {""})
