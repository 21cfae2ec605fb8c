"""Where a customer is, by code as far as it is understood; what was typed stays as it was typed."""

from typing import Any, TypeVar

from services.contracts.customers import CustomerFields
from services.contracts.errors import InvalidRequest
from services.customers.collision.divisions import Region, divisions, is_division, region_of
from services.customers.collision.regions import locate, meant
from services.customers.collision.text import compact

TEXTS = ("province", "city", "district")
OF_PLACE = frozenset({*TEXTS, "division"})

Fields = TypeVar("Fields", bound=CustomerFields)


def placed(fields: Fields) -> Fields:
    """The fields with their place completed, see `completed`."""
    place = completed({name: getattr(fields, name) for name in OF_PLACE})
    return fields.model_copy(update=place) if any(place.values()) else fields


def completed(given: dict[str, Any]) -> dict[str, str | None]:
    """Province, city, district and division: a code fills in the names that are missing, names give the code.

    Raises InvalidRequest when a code and a name contradict each other.
    """
    code = given.get("division")
    texts = {name: given.get(name) for name in TEXTS}
    if code is None or not is_division(code):  # what is no code is refused by the catalogue
        return {**texts, "division": code or code_of(**texts)}
    region = region_of(code)
    refuse_contradictions(region, texts)
    names = {
        "province": region.province,
        "city": region.city,
        "district": region.county,
    }
    return {**{name: texts[name] or (divisions()[part] if part else None) for name, part in names.items()}, "division": code}


def code_of(province: str | None, city: str | None, district: str | None) -> str | None:
    """The narrowest place that is understood."""
    region = locate(province, city)
    if district:
        region = meant(compact(district), region)
    return region.county or region.city or region.province


def refuse_contradictions(region: Region, texts: dict[str, str | None]) -> None:
    """Raises InvalidRequest."""
    said = locate(texts["province"], texts["city"])
    for name, ours, theirs in (("province", region.province, said.province), ("city", region.city, said.city)):
        if texts[name] and ours and theirs and ours != theirs:
            told = f"{texts[name]} is not where the division is"
            raise InvalidRequest(errors=[{"in": "body", "pointer": f"/{name}", "detail": told}])
