"""The process of one service: `python -m services.plumbing.run customers`."""

from services.plumbing import green

# isort: split
# Everything below is imported into a process that is cooperative already.

import importlib
import logging
import os
import signal
import sys
from typing import Any

import eventlet
import kombu.compression
import nameko
from nameko.runners import ServiceRunner

from services.plumbing.events import check_subscriptions
from services.plumbing.health import serve_health
from services.plumbing.logs import configure_logs
from services.plumbing.memory import stay
from services.plumbing.provider import RUNTIME_KEY
from services.plumbing.rpc import operations_of
from services.plumbing.runtime import Runtime
from services.plumbing.settings import ServiceSettings

log = logging.getLogger("qudao")


def main(service: str) -> None:
    """Runs until SIGTERM or SIGINT, then finishes what is in work."""
    green.assert_cooperative()
    module = importlib.import_module(f"services.{service}.service")
    serve(getattr(module, f"{service.capitalize()}Service"), ServiceSettings.of(service))


def serve(service_cls: Any, settings: ServiceSettings) -> None:
    """Raises SystemExit with a sentence when the service may not or cannot start."""
    configure_logs(settings.service, settings.log_level)
    for noisy in ("nameko", "amqp", "kombu"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    operations_of(service_cls)
    check_subscriptions(settings.service, service_cls)
    runtime = Runtime(settings, service_cls)
    kombu.compression._decoders.clear()  # a small message that unpacks to gigabytes is refused as undecodable
    nameko.config.setup(
        {
            "AMQP_URI": settings.amqp_uri.get_secret_value(),
            "HEARTBEAT": settings.heartbeat,
            "PREFETCH_COUNT": settings.workers,
            "max_workers": settings.workers * 2,  # requests and events have a prefetch each
            "serializer": "json",
            "ACCEPT": ["json"],
            "DECLARE": settings.declare_topology,
            RUNTIME_KEY: runtime,
        }
    )
    runtime.open()
    stay()
    runner = ServiceRunner()
    runner.add_service(service_cls)

    def stop(*_: Any) -> None:
        runtime.is_stopping = True
        eventlet.spawn_n(runner.stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    runner.start()
    if settings.health_port:
        serve_health(runtime, settings.health_host, settings.health_port)
    log.info("serving")
    runner.wait()
    log.info("stopped")
    logging.shutdown()
    os._exit(0)  # everything is finished: waiting for idle threads would only delay a restart


if __name__ == "__main__":
    main(sys.argv[1])
