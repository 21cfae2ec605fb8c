"""Makes the process cooperative, as nameko needs it. Imported before everything else by a service's process.

psycopg waits in C as it comes, which blocks every green thread of the process (20 times pg_sleep(0.5) took 10.3 s, 0.56 s with
this recipe); so its waiting function in Python must be chosen, by the environment and before psycopg is imported.
"""

import os
import sys
import warnings

if "psycopg" in sys.modules:
    raise ImportError("services.plumbing.green must be imported before psycopg")

os.environ["PSYCOPG_WAIT_FUNC"] = "wait_selector"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its maintainers advise against new projects; nameko stands on it
    import eventlet

eventlet.monkey_patch()

import psycopg.waiting  # noqa: E402  after the patch, on purpose


class NotCooperative(RuntimeError):
    """The database driver would block every request of the process."""


def assert_cooperative() -> None:
    """Raises NotCooperative when the recipe above did not take."""
    if psycopg.waiting.wait is not psycopg.waiting.wait_selector:
        raise NotCooperative("psycopg does not wait in Python: PSYCOPG_WAIT_FUNC was set too late")
    if not all(eventlet.patcher.is_monkey_patched(module) for module in ("socket", "select", "thread", "time")):
        raise NotCooperative("eventlet has not patched the standard library")
