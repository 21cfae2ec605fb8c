"""Walks the audit chains of all services: `python -m ops.verify`. Ends with 1 when one does not hold.

Reads `QUDAO_<SERVICE>_DATABASE_URL`; the application's role is enough.
"""

import sys

import psycopg

from services.contracts.base import SERVICES
from services.plumbing.audit import Verdict, verify
from services.plumbing.settings import SettingMissing, read


def describe(service: str, verdict: Verdict) -> str:
    if verdict.broken:
        return f"{service}: BROKEN at audit row {verdict.broken}: {verdict.reason}"
    return f"{service}: {verdict.rows} rows chained, {verdict.unchained} still to come"


def main() -> int:
    broken = 0
    for service in SERVICES:
        url = read(f"QUDAO_{service.upper()}_DATABASE_URL")
        if not url:
            raise SettingMissing(f"QUDAO_{service.upper()}_DATABASE_URL is needed.")
        with psycopg.connect(url) as connection:
            verdict = verify(connection)
        broken += verdict.broken is not None
        print(describe(service, verdict), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
