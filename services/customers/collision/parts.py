"""A name taken apart, as it is kept with its row: taking it apart again for each comparison would cost more than finding it."""

from functools import lru_cache

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


def unpack(packed: str) -> CompanyName:
    normalised, region, said, brand, trade, legal_form, branch, core, other_cores, former = packed.split(BETWEEN)
    place = _region(region)
    return CompanyName(
        normalised=normalised,
        region=place,
        said=_region(said) if said else place,
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
