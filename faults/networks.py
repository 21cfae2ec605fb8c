"""What can happen to the network between two parts: each way has a proxy that knows these."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from faults.proxy import Proxy
from faults.trial import Trial, shortened

Break = Callable[[Proxy], AbstractContextManager[object]]

BREAKS: dict[str, Break] = {
    "cut": lambda way: way.cut(),
    "reset": lambda way: way.reset(),
    "two seconds late": lambda way: way.slow(latency=2.0, jitter=0.5),
    "a kilobyte a second": lambda way: way.throttled(bytes_per_second=1024),
    "in pieces": lambda way: way.sliced(size=3, delay=0.001),
    "swallowed": lambda way: way.black_hole(),
    "half open": lambda way: way.half_open(),
    "deaf to answers": lambda way: way.deaf("to_client"),
    "deaf to requests": lambda way: way.deaf("to_target"),
}


def broken(trial: Trial) -> None:
    """Every way broken in every manner, in random order; in a shorter run a share of them, of every manner one at least."""
    pairs = [(way, manner) for way in trial.system.ways for manner in BREAKS]
    trial.random.shuffle(pairs)
    for way, manner in shortened(pairs, 2 if trial.is_brief else len(trial.times(len(pairs), len(BREAKS)))):
        with trial.outage(f"{way}: {manner}"):
            with BREAKS[manner](trial.system.way(way)):
                trial.pause(trial.seconds(10, 2), trial.seconds(20, 3))
