"""People at a customer."""

from tests.matrix.model import edit
from tests.matrix.table import Row

CONTACTS = "/v1/customers/{customer_id}/contacts"
SOMEBODY = {"name": "李总"}
CHANGING = {"of": "customer with a contact", "rule": edit, "version": "customer", "spends": True}

ROWS = [
    Row(f"GET {CONTACTS}", "customer:read", of="customer"),
    Row(f"POST {CONTACTS}", "customer:update", body=SOMEBODY, **CHANGING),
    Row(f"PUT {CONTACTS}/{{contact_id}}", "customer:update", body=SOMEBODY, **CHANGING),
    Row(f"DELETE {CONTACTS}/{{contact_id}}", "customer:update", **CHANGING),
]
