"""nameko as it comes, on both sides of an RPC: `serve` answers, `ask` calls with nameko's own standalone client.

python tests/contract/nameko_peer.py AMQP_URI serve
python tests/contract/nameko_peer.py AMQP_URI ask SERVICE METHOD MESSAGE_JSON     prints {"result": …} or {"error": …}
"""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402  nameko needs the patched standard library
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

from nameko import config  # noqa: E402
from nameko.containers import ServiceContainer  # noqa: E402
from nameko.exceptions import MethodNotFound, RemoteError, UnknownService  # noqa: E402
from nameko.rpc import rpc  # noqa: E402
from nameko.standalone.rpc import ServiceRpcClient  # noqa: E402


class NameTaken(Exception):
    """Named like a declared error; its first argument are the details."""


class Undeclared(Exception):
    pass


class Peer:
    name = "contract_peer"

    @rpc
    def echo(self, message: dict[str, Any]) -> dict[str, Any]:
        return message

    @rpc
    def refuse(self, message: dict[str, Any]) -> None:
        raise NameTaken(message)

    @rpc
    def fail(self, message: dict[str, Any]) -> None:
        raise Undeclared("canary")

    @rpc
    def sleep(self, message: dict[str, Any]) -> dict[str, Any]:
        eventlet.sleep(message["number"])
        return message

    @rpc
    def die(self, message: dict[str, Any]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def serve() -> None:
    container = ServiceContainer(Peer)
    container.start()
    print("ready", flush=True)
    container.wait()


def ask(service: str, method: str, message: str) -> dict[str, Any]:
    try:
        with ServiceRpcClient(service, timeout=20) as client:
            return {"result": getattr(client, method)(json.loads(message))}
    except RemoteError as error:
        return {"error": error.exc_type}
    except (UnknownService, MethodNotFound) as error:
        return {"error": type(error).__name__}


if __name__ == "__main__":
    with config.patch({"AMQP_URI": sys.argv[1]}):
        if sys.argv[2] == "serve":
            serve()
        else:
            print(json.dumps(ask(*sys.argv[3:6])))
