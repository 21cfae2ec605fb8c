"""`python -m ops.fsck [--wait SECONDS] [--json]`. Ends with 0 without findings, with 1 with some, with 2 when it could not look.

Reads `QUDAO_<SERVICE>_DATABASE_URL`; the application's role is enough.
"""

import argparse
import json
import sys

from ops.fsck.databases import CannotLook
from ops.fsck.examine import check
from services.contracts.base import SERVICES
from services.plumbing.settings import SettingMissing, read


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="fsck", description="Whether the data of all services still say what they must.")
    parser.add_argument("--wait", type=float, default=30.0, metavar="SECONDS", help="how long services may take to agree (30)")
    parser.add_argument("--json", action="store_true", help="print one object")
    asked = parser.parse_args(words)
    try:
        report = check({service: url_of(service) for service in SERVICES}, wait=asked.wait)
    except (CannotLook, SettingMissing) as problem:
        print(f"fsck: {problem}", file=sys.stderr)
        return 2
    print(json.dumps(report.as_json(), ensure_ascii=False) if asked.json else "\n".join(report.lines()))
    return 0 if report.is_clean else 1


def url_of(service: str) -> str:
    name = f"QUDAO_{service.upper()}_DATABASE_URL"
    if url := read(name):
        return url
    raise SettingMissing(f"{name} is needed.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
