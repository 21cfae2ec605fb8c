"""`python -m embedded.broker [--port N] [--port-file FILE]`, password in QUDAO_BROKER_PASSWORD, user `qudao`."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from embedded.broker.login import Credentials
from embedded.broker.server import HOST, Server, write_port

USER = "qudao"


def main() -> int:
    arguments = _arguments()
    password = os.environ.get("QUDAO_BROKER_PASSWORD", "")
    if not password:
        print("QUDAO_BROKER_PASSWORD is empty: the broker does not start without a password", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        asyncio.run(_serve(Credentials(USER, password), arguments.port, arguments.port_file))
    except OSError as problem:
        print(f"cannot listen on {HOST}:{arguments.port}: {problem}", file=sys.stderr)
        return 1
    return 0


async def _serve(credentials: Credentials, port: int, port_file: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(credentials)
    chosen = await server.start(port)
    if port_file:
        write_port(port_file, chosen)
    print(
        f"embedded broker on {HOST}:{chosen}: for trying and for tests only, keeps nothing on disk;"
        " RabbitMQ is the broker for production",
        flush=True,
    )
    await stop.wait()
    await server.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="embedded.broker", description="AMQP 0-9-1 in memory, on the loopback only")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="the chosen port is written here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
