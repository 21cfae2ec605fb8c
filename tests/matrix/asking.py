"""Cells of the matrix: all who ask, all that is asked, all whose it may be. Each is asked under a request's id of its own, by
which its traces are found."""

import random
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from services.contracts.errors import QudaoError
from tests.depth import NIGHTLY
from tests.matrix.facts import Databases
from tests.matrix.model import ABSENT, DONE, HIDDEN, Person, Whose
from tests.matrix.rows import ROWS
from tests.matrix.table import Cell, Row
from tests.matrix.things import KINDS
from tests.matrix.world import CALLERS, World

AT_ONCE = 4
MOST_SPENT = 1_000 if NIGHTLY else 2
SEED = random.randrange(2**32)
VERSIONS = {
    "agency": ("identity", "SELECT version FROM agency WHERE id = %s", "agency_id"),
    "collision_rules": ("customers", "SELECT max(version) FROM collision_rules", ""),
    "customer": ("customers", "SELECT version FROM customer WHERE id = %s", "customer_id"),
    "department": ("identity", "SELECT version FROM department WHERE id = %s", "department_id"),
    "field_policy": ("customers", "SELECT max(version) FROM field_policy", ""),
    "login_settings": ("identity", "SELECT version FROM login_settings WHERE agency_id = %s", "agency_id"),
    "member_source": ("customers", "SELECT version FROM member_source WHERE id = %s", "source_id"),
    "person": ("identity", "SELECT version FROM person WHERE id = %s", "user_id"),
    "pool": ("customers", "SELECT version FROM pool WHERE id = %s", "pool_id"),
    "preferences": ("identity", "SELECT version FROM preferences WHERE person_id = %s", "user_id"),
    "role": ("identity", "SELECT version FROM role WHERE id = %s", "role_id"),
    "sales_group": ("identity", "SELECT version FROM sales_group WHERE id = %s", "group_id"),
    "saved_view": ("customers", "SELECT version FROM saved_view WHERE id = %s", "view_id"),
    "territory": ("customers", "SELECT version FROM territory WHERE agency_id = %s", "agency_id"),
}


def positions(row: Row, me: Person) -> Sequence[Whose]:
    """For who is not let in, whatever he asks for, two of others will do; for who lacks the permission the first and the last."""
    every = KINDS[row.of].places(me)
    if me.standing == "in" and (row.permission is None or me.may(row.permission)):
        return every
    asked = every if me.standing == "in" else [whose for whose in every if whose.owner != me]
    return list(dict.fromkeys([asked[0], asked[-1]]))


def cells(world: World) -> Iterator[Cell]:
    """All, but of the objects that somebody may spend in one way he spends a few, others at each run."""
    for row in ROWS:
        for me in CALLERS.values():
            asked = [Cell(world, row, me, whose) for whose in positions(row, me)]
            done = [number for number, cell in enumerate(asked) if is_spent(cell)]
            left_out = random.Random(f"{SEED} {row.name} {me.name}").sample(done, max(0, len(done) - MOST_SPENT))
            yield from (cell for number, cell in enumerate(asked) if number not in left_out)


def ask(cell: Cell) -> Cell:
    """Whose answer spends the object gets a new one; all others share."""
    row, world, kind = cell.row, cell.world, KINDS[cell.row.of]
    cell.ids = kind.make(world, cell.whose) if is_spent(cell) else world.ids(kind, cell.whose)
    cell.ids = cell.ids | {name: cell.value(value) for name, value in row.more.items()}
    cell.request_id = uuid.uuid4().hex
    client = world.anew(cell.me) if row.anew else world.client(cell.me)
    path = row.path.format(**cell.ids) + cell.value(row.query)
    cell.answer = client.request(row.method, path, cell.value(row.body), **headers(cell))
    return cell


def headers(cell: Cell) -> dict[str, str]:
    sent = {"X_Request_Id": cell.request_id}
    if cell.row.method != "GET":
        sent["Idempotency_Key"] = cell.request_id
    if cell.row.version is not None:
        sent["If_Match"] = f'"{version_of(cell, cell.row.version)}"'
    return sent


def version_of(cell: Cell, version: str | int) -> int:
    if isinstance(version, int):
        return version
    service, query, key = VERSIONS[version]
    values = [cell.ids[key]] if key else []
    return int(cell.world.databases.value(service, query, *values) or 0)


def ask_all(asked: Iterable[Cell]) -> list[Cell]:
    """Several rows at once, the cells of a row one after the other: they may ask for the same."""
    rows = [list(group) for _, group in groupby(sorted(asked, key=turn_of), key=turn_of)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [cell for done in pool.map(lambda row: [ask(cell) for cell in row], rows) for cell in done]


def turn_of(cell: Cell) -> str:
    return cell.row.turn or cell.row.name


def prepare(asked: Iterable[Cell]) -> None:
    """Makes beforehand what cells share, so that asking alone changes nothing."""
    needed = {(cell.row.of, cell.whose): cell for cell in asked if not is_spent(cell)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda cell: cell.world.ids(KINDS[cell.row.of], cell.whose), needed.values()))


def is_spent(cell: Cell) -> bool:
    """Whether the answer spends the object."""
    return cell.row.spends and cell.expected == DONE


# --- what must hold of those that were asked


def deviations(asked: Iterable[Cell]) -> list[str]:
    return [f"{cell}: {cell.told} instead of {cell.expected}" for cell in asked if cell.told != cell.expected]


def wrongly_audited(asked: Iterable[Cell], databases: Databases) -> list[str]:
    """A denial stands in the audit once, and so does each command that was carried out; nothing else does."""
    audited, told_of = databases.audited(), databases.told_of()
    wrong = []
    for cell in asked:
        found = {result: audited[cell.request_id, result] for result in ("denied", "done")}
        expected = {"denied": denials_of(cell), "done": commits_of(cell)}
        if found != expected:
            wrong.append(f"{cell}, told {cell.told}: audited {found} instead of {expected}")
        if cell.told != DONE and cell.request_id in told_of:
            wrong.append(f"{cell}, told {cell.told}: an event tells of it")
    return wrong


def denials_of(cell: Cell) -> int:
    """What is hidden is denied, see OutOfScope; that nothing is explained of it as well."""
    kinds = {kind.slug(): kind.is_denial for kind in QudaoError.registry.values()}
    kinds |= {HIDDEN: True, ABSENT: False, DONE: False, "allowed": False, "not-allowed": False, "not-seen": True}
    return int(kinds[cell.expected])


def commits_of(cell: Cell) -> int:
    """A batch of which the only row was refused has been carried out all the same."""
    if cell.row.commits == 3 and cell.answer is not None and cell.answer.is_success:
        return 3 if cell.told == DONE else 2
    if cell.expected != DONE or cell.row.method == "GET":
        return 0
    return 1 if cell.row.commits is None else cell.row.commits


def counted(asked: Iterable[Cell]) -> Counter[str]:
    return Counter(cell.expected for cell in asked)
