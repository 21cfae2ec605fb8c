"""A name taken apart, as it is kept with its row: taking it apart again for each comparison would cost more than finding it."""

from collections.abc import Sequence
from typing import Any

from services.customers.collision.divisions import Region
from services.customers.collision.names import CompanyName

Packed = list[Any]


def pack(name: CompanyName) -> Packed:
    """As JSON knows it; `unpack` gives the same name back."""
    return [
        name.normalised,
        _places(name.region),
        _places(name.said),
        name.brand,
        name.trade,
        name.legal_form,
        name.branch,
        name.core,
        list(name.other_cores),
        list(name.former),
    ]


def unpack(packed: Packed) -> CompanyName:
    normalised, region, said, brand, trade, legal_form, branch, core, other_cores, former = packed
    return CompanyName(
        normalised=normalised,
        region=Region(*region),
        said=Region(*said),
        brand=brand,
        trade=trade,
        legal_form=legal_form,
        branch=branch,
        core=core,
        other_cores=tuple(other_cores),
        former=tuple(former),
    )


def _places(region: Region) -> Sequence[str | None]:
    return [region.province, region.city, region.county, region.town]
