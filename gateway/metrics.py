"""What Prometheus may ask; served on the health listener only."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("qudao_http_requests_total", "Requests answered.", ["route", "method", "status"])
LATENCY = Histogram(
    "qudao_http_request_seconds",
    "Time from the request's head to the end of its answer.",
    ["route", "method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RPC_CALLS = Counter("qudao_gateway_rpc_calls_total", "RPC calls by what became of them.", ["operation", "outcome"])
RPC_PENDING = Gauge("qudao_gateway_rpc_pending", "RPC calls under way.")
PLACES = Gauge("qudao_gateway_places", "Requests to a service that may be in work at once.", ["service", "kind"])
SHED = Counter("qudao_gateway_shed_total", "Requests refused because answers come late.", ["service", "kind"])
BROKER_CONNECTED = Gauge("qudao_gateway_broker_connected", "1 while the broker can be used.")
SOCKETS_OPEN = Gauge("qudao_gateway_sockets_open", "Sockets of clients.")
SOCKETS_WAITING = Gauge("qudao_gateway_sockets_waiting", "Sockets of clients without a complete request head.")
SOCKETS_CLOSED = Counter("qudao_gateway_sockets_closed_total", "Sockets closed by us, by why.", ["why"])
