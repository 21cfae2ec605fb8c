"""Ports for processes that nobody has to find by number."""

import errno
import random
import socket

from embedded.supervise import CannotStart

# Below those that the system gives to outgoing connections: one of our own could take a port before its server does.
LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server can listen there now. Raises OSError when the host is not one of this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port() -> int:
    """A port on the loopback that is free, and that nobody else draws here as long as this process lives."""
    draw = random.SystemRandom()
    while not (is_free(port := draw.randrange(LOWEST, HIGHEST)) and reserve(port)):
        pass
    return port


reservations: list[socket.socket] = []


def reserve(port: int) -> bool:
    """Whether the UDP port of the same number could be taken. No server of ours uses it: who draws it elsewhere finds it taken.

    Between drawing a port and listening on it there are seconds, in which stacks side by side would meet.
    """
    mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        mark.bind(("127.0.0.1", port))
    except OSError:
        mark.close()
        return False
    reservations.append(mark)
    return True


def gateway_ports(host: str, first: int | None, count: int) -> list[int]:
    """The wanted port and those after it, or free ones. Raises CannotStart when one is taken."""
    ports = [free_port() for _ in range(count)] if first is None else list(range(first, first + count))
    for port in ports:
        try:
            if not is_free(port, host):
                raise CannotStart(f"Port {port} is in use; stop what listens there or set QUDAO_HTTP_PORT.")
        except OSError as error:
            raise CannotStart(f"The gateway cannot listen on {host}, port {port}: {error.strerror}.") from None
        except OverflowError:
            raise CannotStart(f"There is no port {port} for a gateway; ports end at 65535.") from None
    return ports
