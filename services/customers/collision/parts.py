"""A name taken apart, as it is kept with its row: taking it apart again for each comparison would cost more than finding it."""

from functools import lru_cache
from typing import Any

from services.customers.collision.divisions import Region
from services.customers.collision.names import CompanyName

BETWEEN, WITHIN = "|", ","
"""Neither is in what is compact, nor in a division code."""


def pack(name: CompanyName) -> str:
    """In one line, half as long as JSON: what a check reads should stay in memory. `unpack` gives the same name back."""
    parts = (
        name.normalised,
        _packed(name.region),
        "" if name.said == name.region else _packed(name.said),
        name.brand,
        name.trade,
        name.legal_form,
        name.branch,
        "" if name.core == name.brand + name.trade else name.core,
        WITHIN.join(name.other_cores),
        WITHIN.join(name.former),
    )
    return BETWEEN.join(parts)


def unpack(packed: str | list[Any]) -> CompanyName:
    """A list is version 2's way of writing the same."""
    if isinstance(packed, list):
        normalised, place, said_place, brand, trade, legal_form, branch, core, others, earlier = packed
        places = Region(*place), Region(*said_place)
        return CompanyName(normalised, *places, brand, trade, legal_form, branch, core, tuple(others), tuple(earlier))
    normalised, region, said, brand, trade, legal_form, branch, core, other_cores, former = packed.split(BETWEEN)
    return CompanyName(
        normalised=normalised,
        region=_region(region),
        said=_region(said or region),
        brand=brand,
        trade=trade,
        legal_form=legal_form,
        branch=branch,
        core=core or brand + trade,
        other_cores=tuple(other_cores.split(WITHIN)) if other_cores else (),
        former=tuple(former.split(WITHIN)) if former else (),
    )


def _packed(region: Region) -> str:
    return WITHIN.join(place or "" for place in (region.province, region.city, region.county, region.town))


@lru_cache(maxsize=4096)
def _region(packed: str) -> Region:
    return Region(*(place or None for place in packed.split(WITHIN)))
