"""What everybody may ask of the gateway itself."""

from tests.matrix.table import Row

ROWS = [Row("GET /healthz", None), Row("GET /readyz", None)]
