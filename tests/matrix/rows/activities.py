"""Contact notes, timelines, the log."""

from tests.matrix.model import read_notes, write_note
from tests.matrix.table import Row

CUSTOMER = "/v1/customers/{customer_id}"
NOTE = {"method": "phone", "content": "谈了合作", "maturity": 2}

ROWS = [
    Row(f"POST {CUSTOMER}/notes", "note:create", of="customer", rule=write_note, body=NOTE),
    Row(f"GET {CUSTOMER}/notes", "note:read", of="customer", rule=read_notes),
    Row(f"GET {CUSTOMER}/timeline", "note:read", of="customer", rule=read_notes),
    Row("GET /v1/log", "log:read"),
]
