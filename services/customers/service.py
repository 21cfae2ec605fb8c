"""The face of customers: what its parts serve."""

from typing import ClassVar

from services.contracts.errors import AlreadyDisputed, NameTaken, VersionConflict
from services.customers.access.service import AccessService
from services.customers.catalogue.service import CatalogueService
from services.customers.check.service import CheckService
from services.customers.disputes.service import DisputeService
from services.customers.fields.service import FieldService
from services.customers.holding.service import HoldingService
from services.customers.leaving.service import LeavingService
from services.customers.members.service import MemberService
from services.customers.pools.service import PoolService
from services.customers.registry.service import RegistryService
from services.customers.reviews.service import ReviewService
from services.customers.search.service import SearchService
from services.customers.team.service import TeamService
from services.directory.service import DirectoryService
from services.plumbing.database import Constraints


class CustomersService(
    AccessService,
    CatalogueService,
    CheckService,
    RegistryService,
    SearchService,
    ReviewService,
    HoldingService,
    PoolService,
    MemberService,
    DisputeService,
    FieldService,
    TeamService,
    LeavingService,
    DirectoryService,
):
    name = "customers"
    constraints: ClassVar[Constraints] = {
        "collision_rules_pkey": VersionConflict,
        "field_policy_pkey": VersionConflict,
        "custom_field_pkey": VersionConflict,
        "dictionary_entry_pkey": VersionConflict,
        "saved_view_name_key": NameTaken,
        "pool_name_key": NameTaken,
        "territory_pkey": VersionConflict,
        "dispute_of_attempt": AlreadyDisputed,
        "dispute_of_customer": AlreadyDisputed,
    }
