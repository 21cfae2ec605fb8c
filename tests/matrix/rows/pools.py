"""Pools."""

from tests.api import company, unique
from tests.matrix.model import administer_pool, by_agency, custom_alone, sees_pool
from tests.matrix.table import Cell, Row

POOL = "/v1/pools/{pool_id}"
MEMBER = f"{POOL}/members/{{person_id}}"


def somebody(cell: Cell) -> str:
    """Who might work in a pool of this agency."""
    return cell.world.companion(cell.whose.agency)


ROWS = [
    Row("GET /v1/pools", "pool:read"),
    Row(
        "POST /v1/pools",
        "pool:manage",
        of="agency",
        rule=by_agency,
        body=lambda cell: {"name": unique("池"), "agency_id": cell.ids["agency_id"]},
    ),
    Row(f"GET {POOL}", "pool:read", of="pool", rule=sees_pool),
    Row(
        f"PATCH {POOL}",
        "pool:manage",
        of="pool",
        rule=by_agency,
        body={"hidden_fields": []},
        version="pool",
        spends=True,
    ),
    Row(f"POST {POOL}/archive", "pool:manage", of="pool", rule=custom_alone(by_agency), spends=True),
    Row(f"GET {POOL}/members", "pool:read", of="pool", rule=sees_pool),
    Row(
        f"PUT {MEMBER}",
        "pool:administer",
        of="pool",
        rule=custom_alone(administer_pool),
        body={"is_admin": False},
        more={"person_id": somebody},
        spends=True,
    ),
    Row(
        f"DELETE {MEMBER}",
        "pool:administer",
        of="pool with a member",
        rule=custom_alone(administer_pool),
        more={"person_id": somebody},
        spends=True,
    ),
    Row(f"GET {POOL}/customers", "pool:read", of="pool", rule=sees_pool),
    Row(
        f"POST {POOL}/customers",
        "pool:administer",
        of="pool",
        rule=administer_pool,
        body=lambda cell: {"name": company()},
    ),
]
