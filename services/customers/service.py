"""The face of customers: what its parts serve."""

from typing import ClassVar

from services.contracts.errors import VersionConflict
from services.customers.check.service import CheckService
from services.customers.fields.service import FieldService
from services.customers.holding.service import HoldingService
from services.customers.pools.service import PoolService
from services.customers.registry.service import RegistryService
from services.customers.reviews.service import ReviewService
from services.directory.service import DirectoryService
from services.plumbing.database import Constraints


class CustomersService(CheckService, RegistryService, ReviewService, HoldingService, PoolService, FieldService, DirectoryService):
    name = "customers"
    constraints: ClassVar[Constraints] = {"collision_rules_pkey": VersionConflict, "field_policy_pkey": VersionConflict}
