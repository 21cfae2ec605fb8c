"""A small process in the place of a service or the gateway, standard library only: `python stand_in.py ROLE`."""

import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answers(BaseHTTPRequestHandler):
    """200 to everything, as if all were ready and no administrator there."""

    def do_GET(self) -> None:
        body = b'{"needed": true}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        pass


def gateway() -> None:
    address = (os.environ["QUDAO_HTTP_HOST"], int(os.environ["QUDAO_HTTP_PORT"]))
    ThreadingHTTPServer(address, Answers).serve_forever()


def service() -> None:
    print("serving", flush=True)
    threading.Event().wait()


def parent() -> None:
    """Like a service that hands heavy work to a process of its own."""
    subprocess.Popen(["sleep", "1000"])
    service()


def stubborn() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    service()


def broken() -> None:
    sys.exit("the reason why it cannot serve")


if __name__ == "__main__":
    {role.__name__: role for role in (gateway, service, parent, stubborn, broken)}[sys.argv[1]]()
