"""`bench rights`: what issuing a passport takes in the service's own code, among tens of thousands of people, and its size.

The usual user has a built-in role; the fullest ten roles, six of them made ones, twenty managed departments and twenty grants.
"""

import hashlib
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from psycopg import sql
from sqlalchemy import Connection

from bench import machine
from bench.inside import runtime_of
from bench.measures import times_of
from bench.stand import NotMeasured
from embedded.stack import Stack
from services.contracts.permissions import OF_RECORDS
from services.identity import queries
from services.identity.passports import caller_of
from services.identity.sessions import grants_of
from services.plumbing.passport import Signer
from services.plumbing.wall import EVERY_AGENCY, stand_in

ASKED, OF_DEPARTMENT, DEEP = 5_000, 10, 8

FILL = """
    INSERT INTO agency SELECT gen_random_uuid(), 'agency ' || n, n = 1, 1, clock() FROM generate_series(1, 50) AS n;
    INSERT INTO department SELECT id, agency_id, NULL, 'department ' || id, id::text, 1, clock()
    FROM (SELECT gen_random_uuid() AS id, agency.id AS agency_id FROM agency, generate_series(1, {roots})) AS root;
    DO $$ BEGIN FOR level IN 2..{deep} LOOP
        INSERT INTO department SELECT below.id, agency_id, parent, 'department ' || below.id, path || '.' || below.id, 1, clock()
        FROM (SELECT gen_random_uuid() AS id, agency_id, id AS parent, path FROM department
              WHERE cardinality(string_to_array(path, '.')) = level - 1) AS below;
    END LOOP; END $$;
    INSERT INTO person (id, login, display_name, agency_id, department_id, managed_department_ids, roles, abilities, status,
                        version, created_at)
    SELECT gen_random_uuid(), 'u' || row_number() OVER (), 'somebody', agency_id, id, '{{}}', '{{rep}}', '{{holds,sells}}',
           'active', 1, clock() FROM department, generate_series(1, {each});
    INSERT INTO role SELECT id, id::text, agency_id, false, 'role ' || id, NULL, NULL, NULL, {contents}::jsonb, 1, clock(), NULL
    FROM (SELECT gen_random_uuid() AS id, agency.id AS agency_id FROM agency, generate_series(1, 20)) AS made;
    INSERT INTO session (id, person_id, token_digest, by_code, opened_at, used_at, expires_at)
    SELECT gen_random_uuid(), id, encode(sha256(login::bytea), 'hex'), false, clock(), clock(), clock() + interval '12 hours'
    FROM person;
    UPDATE person SET managed_department_ids = ARRAY(SELECT id FROM department WHERE agency_id = person.agency_id LIMIT 20),
        abilities = '{{holds,oversees,sells}}', roles = ARRAY['rep', 'supervisor', 'manager', 'auditor']
        || ARRAY(SELECT key FROM role WHERE agency_id = person.agency_id LIMIT 6) WHERE login = 'u1';
    INSERT INTO row_grant
    SELECT gen_random_uuid(), one.agency_id, one.id, 'day:read', NULL, other.id, clock() + interval '1 day', other.id, clock(),
           NULL, NULL, 1
    FROM person AS one JOIN LATERAL (SELECT id FROM person WHERE agency_id = one.agency_id AND id <> one.id LIMIT 20) AS other
    ON true WHERE one.login = 'u1';
"""


@dataclass(frozen=True)
class Wish:
    people: int
    limit: float = 600.0


def run(wish: Wish) -> None:
    """Prints what it found as one JSON object. Raises NotMeasured."""
    found: dict[str, Any] = {"bench": "rights", "commit": machine.commit(), "machine": machine.machine()}
    with tempfile.TemporaryDirectory(prefix="qudao-bench-") as folder:
        with Stack(Path(folder) / "home", parts=(), replicas={"gateway": 0}) as stack:
            found["people"] = fill(stack.owner_url("identity"), wish.people)
            runtime = runtime_of(stack.database_url("identity"))
            with runtime.reading_engine.connect() as connection:
                stand_in(connection, EVERY_AGENCY)
                found["usual"] = measure(connection, [f"u{2 + number % (found['people'] - 1)}" for number in range(ASKED)])
                found["fullest"] = measure(connection, ["u1"] * ASKED)
            runtime.engine.dispose()
            runtime.reading_engine.dispose()
    print(json.dumps(found), flush=True)


def fill(owner_url: str, people: int) -> int:
    departments = people // OF_DEPARTMENT
    contents = json.dumps([{"permission": each, "scope": "subordinates", "department_ids": []} for each in sorted(OF_RECORDS)])
    with psycopg.connect(owner_url, autocommit=True) as owner:
        roots = sql.Literal(max(1, departments // 50 // DEEP))
        values = {
            "roots": roots,
            "deep": sql.Literal(DEEP),
            "each": sql.Literal(OF_DEPARTMENT),
            "contents": sql.Literal(contents),
        }
        owner.execute(sql.SQL(FILL).format(**values))
        owner.execute("VACUUM ANALYZE")
        row = owner.execute("SELECT count(*) FROM person").fetchone()
        return int(row[0]) if row else 0


def measure(connection: Connection, logins: list[str]) -> dict[str, Any]:
    """From the digest of a token to the signed passport, one after the other."""
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signer, seconds, size = Signer("identity", key.decode()), [], 0
    for login in logins:
        digest = hashlib.sha256(login.encode()).hexdigest()
        began = time.perf_counter()
        opened = queries.find_session(connection, digest)
        if opened is None:
            raise NotMeasured(f"The session of {login} was not found.")
        token = signer.sign(caller_of(opened, grants_of(opened)))
        seconds.append(time.perf_counter() - began)
        size = max(size, len(token))
    return times_of(seconds) | {"bytes": size}
