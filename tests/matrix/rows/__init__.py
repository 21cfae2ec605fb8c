"""The table: one file for each of `gateway/routes`, one row and more for each of its addresses.

**A new address needs a row**, or `test_every_address_has_a_row` fails. In the file that is called as the one of the route:

    Row("POST /v1/customers/{customer_id}/release", "customer:release", of="customer", rule=held("not-held"),
        body={"reason": "no_need"}, spends=True),

- the address, and the permission that its operation declares (None for who has no session);
- `of`: what is asked for by the ids in its path, a kind of `things.KINDS`. A new kind of object says there in which positions it
  is made, and how. What takes no object leaves it out;
- `rule`: what somebody with the permission is told, by whose the object is. Without one the permission's scope decides: `done`
  within it, `not-found` outside. Rules stand in `model.py`, in words of the business and without a look at the product's SQL;
- `body` and `query`: something that a permitted caller might send, so that nothing but his rights can refuse it. What differs
  from cell to cell is a function of the cell;
- `version`: of which table the version is in If-Match, or the version itself; `spends` if a permitted call changes the object.

A list needs a line in `lists.py` besides, which says by which facts and to whom its rows are visible.
"""

import importlib
import pkgutil

from tests.matrix.table import Row

ROWS: list[Row] = [
    row
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name)
    for row in importlib.import_module(f"{__name__}.{found.name}").ROWS
]
