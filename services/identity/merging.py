"""What else names a department that is merged into another one: roles that list it, and grants on its records."""

from typing import Any
from uuid import UUID

from services.identity import domain, queries
from services.identity.models import Department
from services.identity.roles import tell_role
from services.identity.row_grants import is_live, tell
from services.plumbing.work import Work


def lock_roles_that_list(work: Work, department_id: UUID) -> None:
    """Before departments, as who gives a role locks it before them."""
    for role in queries.roles_that_list(work.session, department_id):
        queries.lock_role_alone(work.session, role.key)


def follow_merger(work: Work, department: Department, into: Department) -> dict[str, int]:
    """They name the other one from now on, by which they count on its people as well; how many of each."""
    scopes = 0
    for role in queries.roles_that_list(work.session, department.id):
        scopes += sum(str(department.id) in grant["department_ids"] for grant in role.grants)
        role.grants = [naming(grant, department.id, into.id) for grant in role.grants]
        tell_role(work, role)
    grants = queries.lock_grants_on(work.session, department.id)
    for grant in grants:
        grant.department_id = into.id
        tell(work, grant)
    return {"grants": sum(is_live(grant, work.now) for grant in grants), "scopes": scopes}


def naming(grant: dict[str, Any], old: UUID, new: UUID) -> dict[str, Any]:
    listed = [UUID(each) for each in grant["department_ids"]]
    return grant | {"department_ids": [str(each) for each in domain.replaced(listed, old=old, new=new)]}
