"""Makes the list of common passwords that identity refuses: `python -m ops.common_passwords LIST... > FILE`.

Each list is plain text with a password a line, or a JSON array. What comes out is the first five bytes of the SHA-256 of each,
folded and sorted: nobody reads passwords in the repository, and one look takes 16 steps. With 50,000 of them one in 20 million
other passwords is refused as well.
"""

import hashlib
import json
import sys
from pathlib import Path

from services.identity.blocklist import SIZE
from services.identity.domain import folded_password

SHORTEST = 3  # a shorter one would be found in the middle of anything


def passwords_of(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return list(json.loads(text)) if path.suffix == ".json" else text.splitlines()


def main(paths: list[str]) -> None:
    folded = {folded_password(each) for path in paths for each in passwords_of(Path(path))}
    digests = {hashlib.sha256(each.encode()).digest()[:SIZE] for each in folded if len(each) >= SHORTEST}
    sys.stdout.buffer.write(b"".join(sorted(digests)))


if __name__ == "__main__":
    main(sys.argv[1:])
