"""How a whole run is shared out: in lots, of which a worker takes one after the other.

A lot is a file, or the files whose tests share servers: those are started once and ended with their lot, as what only waits
takes time from others as well. The long lots come first, so that all workers end at about the same time.
"""

from typing import Final

TOGETHER: Final = {
    "worlds": {
        f"tests/faults/test_{name}.py"
        for name in (
            "audit",
            "events",
            "full_queue",
            "handlers",
            "idempotency",
            "kill",
            "leaving",
            "overload",
            "passports",
            "replicas",
            "rpc",
        )
    },
    "brokers": {"tests/contract/test_broker.py", "tests/contract/test_rpc_client.py"},
}

LONG: Final = (
    "tests/faults/test_campaign.py",
    "tests/integration/test_matrix.py",
    "worlds",
    "tests/e2e/test_demo.py",
    "tests/contract/test_fuzz.py",
    "tests/integration/test_non_interference.py",
    "tests/integration/test_launcher.py",
    "tests/integration/test_identity_machine.py",
    "brokers",
    "tests/contract/test_broker_rights.py",
    "tests/faults/test_felt.py",
    "tests/integration/test_people.py",
    "tests/integration/test_login.py",
    "tests/integration/test_fsck.py",
    "tests/integration/test_races.py",
)
"""The longest first. What is not named here is short, or can be had with the stack that all workers have in the end."""


def lot_of(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return next((lot for lot, files in TOGETHER.items() if file in files), file)


def turn_of(nodeid: str) -> int:
    lot = lot_of(nodeid)
    return LONG.index(lot) if lot in LONG else len(LONG)
