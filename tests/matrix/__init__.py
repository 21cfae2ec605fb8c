"""The matrix of rights: everybody asks everything of everything, and gets what `model` expects, never what the product once said.

`model` says in plain Python who may do what, from `permissions.py` alone. `world` makes people in every position and the objects
that they ask for. `rows` is the table: one row and more for each address of the interface. `asking` makes cells of all that and
asks them, `facts` looks into the databases afterwards. The tests stand in `tests/integration/test_matrix.py`.
"""
