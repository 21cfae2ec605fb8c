"""`python -m gateway`."""

from gateway.server import run
from gateway.settings import GatewaySettings

if __name__ == "__main__":
    run(GatewaySettings.load())
