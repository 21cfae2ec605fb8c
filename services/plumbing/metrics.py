"""What Prometheus asks for at `/metrics` of each process."""

from prometheus_client import Counter, Gauge, Histogram

RPC = Histogram(
    "qudao_rpc_seconds",
    "Time to answer an operation, by outcome: done or the error's slug",
    ["operation", "outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
EVENTS_HANDLED = Counter("qudao_events_handled_total", "Events by handler and outcome", ["handler", "outcome"])
EVENTS_PUBLISHED = Counter("qudao_events_published_total", "Events confirmed by the broker")
EVENTS_UNROUTABLE = Counter("qudao_events_unroutable_total", "Events without a queue; their consumers find them by the sweep")
EVENTS_SWEPT = Counter("qudao_events_swept_total", "Events found by asking the producer", ["source"])
OUTBOX_WAITING = Gauge("qudao_outbox_waiting", "Committed events that the broker has not confirmed yet")
INBOX = Gauge("qudao_inbox", "Events whose handler failed, by state: failed (tried again) or parked", ["state"])
AUDIT_UNCHAINED = Gauge("qudao_audit_unchained", "Audit rows not yet in the chain")
LEADER = Gauge("qudao_leader", "1 in the process that leads its service: sends, sweeps, retries, chains")

_OF_LEADERS = [LEADER, OUTBOX_WAITING, AUDIT_UNCHAINED]


def gauge_of_leader(name: str, about: str) -> Gauge:
    """Of what a service's own chore counts."""
    gauge = Gauge(name, about)
    _OF_LEADERS.append(gauge)
    return gauge


def resign() -> None:
    """What only a leader knows is not told by a former one."""
    for gauge in _OF_LEADERS:
        gauge.set(0)
    INBOX.clear()


def observe_rpc(route: str, outcome: str, seconds: float) -> None:
    RPC.labels(route, outcome).observe(seconds)
