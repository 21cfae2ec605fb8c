"""The gateway's settings, with the listener that outsiders must not reach."""

from pydantic import Field

from services.plumbing.settings import GatewaySettings as SharedSettings


class GatewaySettings(SharedSettings):
    """`/metrics` is served on the health listener alone; without a port there is none."""

    health_host: str = "127.0.0.1"
    health_port: int | None = None
    max_pending_calls: int = Field(default=1_000, description="RPC calls under way; more are refused at once with 503")
    answer_target: float = Field(default=1.0, gt=0, description="seconds; when most answers take longer, fewer are let in")
    docs: bool = Field(default=True, description="serve /docs and /openapi.json")
