"""The table of rights for people to read: `python -m ops.permissions > docs/permissions.md`."""

from services.contracts.permissions import PERMISSIONS, ROLES, SYSTEM

INTRODUCTION = """\
# Who may do what

Made by `python -m ops.permissions` from `services/contracts/permissions.py`, which is what the services check.

A permission counts on records within its scope. **own**: what one holds or did oneself, and the custom pools and sales groups
that one looks after. **department**: of the people of one's departments and those below them. **managed**: besides, of the
departments that one's account oversees (管辖部门) and those below them. **agency**: of one's agency, its pools included. **all**:
everywhere. Several roles together have the widest scope of each.
"""


def table() -> str:
    roles = list(ROLES)
    held = sorted(permission for permission in PERMISSIONS if any(permission in grants for grants in ROLES.values()))
    lines = [f"| permission | {' | '.join(roles)} |", f"|---|{'---|' * len(roles)}"]
    for permission in held:
        scopes = [ROLES[role].get(permission) for role in roles]  # type: ignore[call-overload]
        lines.append(f"| `{permission}` | {' | '.join(scope.value if scope else '' for scope in scopes)} |")
    services = [f"| {name} | {', '.join(f'`{permission}`' for permission in sorted(held))} |" for name, held in SYSTEM.items()]
    under_own_name = ["## Services under their own name", "", "| service | permissions, everywhere |", "|---|---|", *services]
    return "\n".join([INTRODUCTION, *lines, "", *under_own_name, ""])


if __name__ == "__main__":
    print(table(), end="")
