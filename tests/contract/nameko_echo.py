"""Stock nameko over the broker at the address given: a call, an event, a call to nobody.

With a number as second argument it prints how many calls per second go through instead.
"""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402  nameko needs the patched standard library
import time  # noqa: E402

from eventlet.event import Event  # noqa: E402
from nameko import config  # noqa: E402
from nameko.containers import ServiceContainer  # noqa: E402
from nameko.events import EventDispatcher, event_handler  # noqa: E402
from nameko.exceptions import UnknownService  # noqa: E402
from nameko.rpc import rpc  # noqa: E402
from nameko.standalone.rpc import ServiceRpcClient  # noqa: E402

heard: Event = Event()


class Echo:
    name = "contract_echo"

    dispatch = EventDispatcher()

    @rpc
    def echo(self, text: str) -> str:
        return text

    @rpc
    def announce(self, text: str) -> None:
        self.dispatch("announced", text)

    @event_handler("contract_echo", "announced")
    def on_announced(self, text: str) -> None:
        heard.send(text)


def tell() -> None:
    with ServiceRpcClient("contract_echo", timeout=20) as echo:
        print("reply:", echo.echo("hello 上海"))
        echo.announce("entered")
        print("event:", heard.wait(timeout=20))
    try:
        with ServiceRpcClient("contract_nobody", timeout=20) as nobody:
            nobody.echo("hello")
    except UnknownService as error:
        print("unknown service:", type(error).__name__)


def measure(calls: int, callers: int = 10) -> None:
    def call_often() -> None:
        with ServiceRpcClient("contract_echo", timeout=60) as echo:
            for _ in range(calls // callers):
                echo.echo("hello")

    began = time.perf_counter()
    for caller in [eventlet.spawn(call_often) for _ in range(callers)]:
        caller.wait()
    print(f"{calls / (time.perf_counter() - began):.0f} calls per second")


if __name__ == "__main__":
    with config.patch({"AMQP_URI": sys.argv[1]}):
        container = ServiceContainer(Echo)
        container.start()
        if len(sys.argv) > 2:
            measure(int(sys.argv[2]))
        else:
            tell()
        container.stop()
