"""The barest service on our way of consuming and answering: no passport, no permission, no contract, no audit, no metrics.

`python -m bench.echo`, with the settings of customers, whose database and role it uses for its SELECT 1.
"""

from services.plumbing import green

# isort: split
# Everything below is imported into a process that is cooperative already.

import json
import signal
from types import SimpleNamespace
from typing import Any

import eventlet
import nameko
from nameko.runners import ServiceRunner
from sqlalchemy import text

from bench.contract import SERVICE
from services.plumbing.bus import Bus
from services.plumbing.database import make_engine
from services.plumbing.provider import RUNTIME_KEY
from services.plumbing.rpc import Rpc, result_body
from services.plumbing.settings import ServiceSettings

SELECT_1 = text("SELECT 1")


class EchoService:
    name = SERVICE

    @Rpc.decorator  # type: ignore[untyped-decorator]
    def echo(self, message: Any, headers: dict[str, Any]) -> bytes:
        return result_body(json.dumps(message))

    @Rpc.decorator  # type: ignore[untyped-decorator]
    def select(self, message: Any, headers: dict[str, Any]) -> bytes:
        with nameko.config[RUNTIME_KEY].engine.connect() as connection:
            connection.execute(SELECT_1)
        return result_body(json.dumps(message))


def main(settings: ServiceSettings) -> None:
    """Consumes with the same prefetch and workers as a real service."""
    green.assert_cooperative()
    uri = settings.amqp_uri.get_secret_value()
    bus = Bus(uri, SERVICE, heartbeat=settings.heartbeat)
    nameko.config.setup(
        {
            "AMQP_URI": uri,
            "HEARTBEAT": settings.heartbeat,
            "PREFETCH_COUNT": settings.workers,
            "max_workers": settings.workers * 2,
            "serializer": "json",
            "ACCEPT": ["json"],
            "DECLARE": True,
            RUNTIME_KEY: SimpleNamespace(bus=bus, engine=make_engine(settings)),
        }
    )
    bus.start()
    if not bus.wait_connected(30):
        raise SystemExit("the broker does not answer")
    runner = ServiceRunner()
    runner.add_service(EchoService)
    signal.signal(signal.SIGTERM, lambda *_: eventlet.spawn_n(runner.stop))
    runner.start()
    runner.wait()


if __name__ == "__main__":
    main(ServiceSettings.of("customers"))
