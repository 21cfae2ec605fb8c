"""Why somebody may or may not do something to one thing."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from services.contracts.base import Message, Query, Sensitive, View, query
from services.contracts.fields import Levels
from services.contracts.permissions import Permission
from services.contracts.reach import Reach

Kind = Literal["customer", "user", "department", "pool"]
UUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
ObjectRef = Annotated[str, StringConstraints(pattern=f"^(customer|user|department|pool):{UUID_PATTERN}$")]


class ExplainAccess(Query):
    """`user` is the caller unless given. `object` is `customer:`, `user:`, `department:` or `pool:` with an id; of a user or a
    department a permission on records is asked for all of theirs."""

    user: UUID | None = None
    action: Permission
    object: ObjectRef


ReasonCode = Literal[
    "account_active",
    "account_not_active",
    "agency_frozen",
    "role_grants",
    "row_grant",
    "group_grants",
    "nothing_grants",
    "owner",
    "department_path",
    "in_pool",
    "collaborator",
    "pool_rule",
    "above_your_rights",
    "own_account",
    "field_policy",
    "no_such_object",
]


class Reason(Message):
    """A link of the chain. `counts`: it speaks for yes; of several roles and grants one that counts is enough."""

    code: ReasonCode
    counts: bool
    text: str
    details: dict[str, Any] = Field(default={})


class AccessExplanation(View):
    user_id: UUID
    action: Permission
    object: str
    is_allowed: bool = Field(description="Whether the request itself would be let through, as far as rights go.")
    reasons: list[Reason]
    needed: list[str] = Field(description="What would have to be, when it is not allowed.")


EXPLAIN_ACCESS = query("identity.explain_access", ExplainAccess, AccessExplanation, "access:explain")


# --- what customers knows of it


class JudgeAccess(Query):
    """Of a customer or a pool that the caller sees. `about` is a passport of him about whom it is; `reaches` are what each of his
    sources of this right gives."""

    about: Annotated[str, Sensitive()]
    action: Permission
    kind: Literal["customer", "pool"]
    id: UUID
    reaches: list[Reach]


class Judgement(View):
    """`is_allowed` by the very question that a request asks; `reached` by each of the reaches alone."""

    is_allowed: bool
    reached: list[bool]
    agency_id: UUID
    owner_id: UUID | None = None
    pool_id: UUID | None = None
    department_ids: list[UUID] = Field(default=[], description="The holder's, from the root down.")
    shared_until: datetime | None = None
    is_shared: bool = False
    levels: Levels | None = None


JUDGE_ACCESS = query("customers.judge_access", JudgeAccess, Judgement, "access:explain")
