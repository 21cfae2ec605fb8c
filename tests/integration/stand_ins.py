"""Small processes instead of the real services, and `./qudao up` with them: `python -m tests.integration.stand_ins`.

STAND_IN names the role that the services play.
"""

import os
import sys
from pathlib import Path

from embedded import cli, up
from embedded.wiring import Part
from ops.keys import SERVICES

PROGRAM = str(Path(__file__).with_name("stand_in.py"))


def parts(role: str = "service") -> tuple[Part, ...]:
    services = [Part(service, (sys.executable, PROGRAM, role)) for service in SERVICES]
    gateway = "broken" if role == "broken" else "gateway"  # a real one is not ready either without its services
    return (*services, Part("gateway", (sys.executable, PROGRAM, gateway)))


PARTS = parts()

if __name__ == "__main__":
    sys.exit(cli.main(["up"], lambda: up.up(parts(os.environ.get("STAND_IN", "service")), migration=())))
