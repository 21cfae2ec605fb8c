"""What else names a department that is merged into another one: roles that list it, and grants on its records."""

from typing import Any
from uuid import UUID

from services.identity import domain, queries
from services.identity.models import Department
from services.identity.roles import tell_role
from services.identity.row_grants import tell
from services.plumbing.work import Work


def lock_roles_that_list(work: Work, department_id: UUID) -> None:
    """Before departments, as who gives a role locks it before them."""
    for role in queries.roles_that_list(work.session, department_id):
        queries.lock_role_alone(work.session, role.key)


def follow_merger(work: Work, department: Department, into: Department) -> None:
    """They name the other one from now on."""
    for role in queries.roles_that_list(work.session, department.id):
        role.grants = [naming(grant, department.id, into.id) for grant in role.grants]
        tell_role(work, role)
    for grant in queries.lock_grants_on(work.session, department.id):
        grant.department_id = into.id
        tell(work, grant)


def naming(grant: dict[str, Any], old: UUID, new: UUID) -> dict[str, Any]:
    listed = [UUID(each) for each in grant["department_ids"]]
    return grant | {"department_ids": [str(each) for each in domain.replaced(listed, old=old, new=new)]}
