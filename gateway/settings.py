"""The gateway's settings, with the listener that outsiders must not reach."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator, Field

from services.plumbing.settings import GatewaySettings as SharedSettings
from services.plumbing.settings import from_json

Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(from_json)]


class GatewaySettings(SharedSettings):
    """`/metrics` is served on the health listener alone; without a port there is none."""

    health_host: str = "127.0.0.1"
    health_port: int | None = None
    max_pending_calls: int = Field(default=1_000, description="RPC calls under way; more are refused at once with 503")
    answer_target: float = Field(default=1.0, gt=0, description="seconds; when most answers take longer, fewer are let in")
    typing_per_second: float = Field(default=10, gt=0, description="as-you-type checks of one user, in the long run; then 429")
    typing_burst: int = Field(default=20, ge=1, description="as-you-type checks of one user, at once")
    typing_timeout: float = Field(default=2.0, gt=0, description="seconds after which an as-you-type check is given up")
    webhooks_per_second: float = Field(
        default=20, gt=0, description="web-registered members of one source, in the long run; then 429"
    )
    webhooks_burst: int = Field(default=100, ge=1, description="web-registered members of one source, at once")
    trusted_proxies: Networks = Field(
        default=(), description='networks whose X-Forwarded-For is believed; a list in JSON: ["10.0.0.0/8"]'
    )
    failed_log_ins_per_second: float = Field(
        default=0.5, gt=0, description="wrong passwords of one address in the long run; then its log-ins take a captcha"
    )
    failed_log_ins_burst: int = Field(default=200, ge=1, description="wrong passwords of one address, at once")
    captchas_per_second: float = Field(default=2, gt=0, description="captchas of one address in the long run; then 429")
    captchas_burst: int = Field(default=60, ge=1, description="captchas of one address, at once")
    taken_names_per_second: float = Field(
        default=0.02, gt=0, description="names of others' log-ins that one user is told to be taken, in the long run; then 429"
    )
    taken_names_burst: int = Field(default=60, ge=1, description="names that one user is told to be taken, at once")
    docs: bool = Field(default=True, description="serve /docs and /openapi.json")
