"""Whether a gateway answers; it does when it has heard from every service, and they from their databases."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 5.0


def get(url: str) -> tuple[int, str]:
    """Status and text, status 0 when nobody answers. Not by urllib, which would go through a configured proxy."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, "no answer"
    finally:
        connection.close()


def get_json(url: str) -> Any:
    """What it says, or None when that is no good answer."""
    status, text = get(url)
    try:
        return json.loads(text) if status == 200 else None
    except ValueError:
        return None
