"""JSON logs, one object a line, with the request's id in every line that a request causes."""

import logging
import re
import sys
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Under eventlet and asyncio alike a context is per green thread or task."""


REQUEST_ID = re.compile(r"[A-Za-z0-9._:/-]{1,80}")


def clean_request_id(given: object) -> str:
    """What may stand in logs and tables: a header on the broker may hold anything."""
    return given if isinstance(given, str) and REQUEST_ID.fullmatch(given) else "none"


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


def configure_logs(process: str, level: str) -> None:
    """Sends all logs to standard output as JSON; `process` names the writer in each line."""
    # what the lines do not show need not be gathered (logging's own advice on speed)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(RequestIdFilter())
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}{request_id}",
            style="{",
            rename_fields={"asctime": "at", "levelname": "level", "name": "logger"},
            static_fields={"process": process},
            json_ensure_ascii=False,
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
