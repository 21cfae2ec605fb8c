"""The table of rights for people to read: `python -m ops.permissions > docs/permissions.md`."""

from services.contracts.permissions import OF_RECORDS, PERMISSIONS, ROLES, SYSTEM

INTRODUCTION = """\
# Who may do what

Made by `python -m ops.permissions` from `services/contracts/permissions.py`, which is what the services check.

A permission counts on records within its scope. **own**: what one holds or did oneself, and the custom pools and sales groups
that one looks after. **subordinates**: besides, of those whose supervisor one is, and of theirs. **department_alone**: of the
people of one's departments. **department**: and of those below them. **managed**: besides, of the departments that one's account
oversees (管辖部门) and those below them. **listed**: of the departments that the role names and those below them. **agency**: of
one's agency, its pools included. **all**: everywhere. Several roles together count wherever one of them does.

These are the built-in roles. Administrators make others; a permission with a star there may have any of the scopes, the others
have one that stands here.
"""


def table() -> str:
    roles = list(ROLES)
    held = sorted(permission for permission in PERMISSIONS if any(permission in grants for grants in ROLES.values()))
    lines = [f"| permission | {' | '.join(roles)} |", f"|---|{'---|' * len(roles)}"]
    for permission in held:
        scopes = [ROLES[role].get(permission) for role in roles]  # type: ignore[call-overload]
        star = " *" if permission in OF_RECORDS else ""
        lines.append(f"| `{permission}`{star} | {' | '.join(scope.value if scope else '' for scope in scopes)} |")
    services = [f"| {name} | {', '.join(f'`{permission}`' for permission in sorted(held))} |" for name, held in SYSTEM.items()]
    under_own_name = ["## Services under their own name", "", "| service | permissions, everywhere |", "|---|---|", *services]
    return "\n".join([INTRODUCTION, *lines, "", *under_own_name, ""])


if __name__ == "__main__":
    print(table(), end="")
