"""Makes all files that docker-compose.yml mounts: `python -m ops.compose DIRECTORY`, before the first start and to rotate.

Keys and passwords are made once and kept; addresses and the broker's users follow them. Each container gets its own files one
by one and runs as another user than the directory's owner, so the files are readable and the directory is not.
"""

import json
import sys
from pathlib import Path
from urllib.parse import quote

from ops.addresses import ServiceDatabase
from ops.broker import DEPLOYER, GATEWAY, VHOST, definitions
from ops.keys import ISSUERS, SECRETS, SERVICES, make_keys, write_beside

POSTGRES, BROKER = "postgres:5432", "rabbitmq:5672"  # the services of docker-compose.yml
PASSWORDS = {DEPLOYER: "broker-password", **{user: f"{user}-broker-password" for user in (*SERVICES, GATEWAY)}}


def make_files(directory: Path, postgres: str = POSTGRES, broker: str = BROKER) -> None:
    """`postgres` and `broker` are `host:port`."""
    make_keys(directory)
    passwords = {user: secret(directory, name) for user, name in PASSWORDS.items()}
    admin_url = f"postgresql://postgres:{quote(secret(directory, 'postgres-password'), safe='')}@{postgres}/postgres"
    made = {"admin-database-url": admin_url, "broker-definitions": json.dumps(definitions(passwords), indent=1)}
    made |= {f"{user}-amqp-uri": f"amqp://{user}:{quote(word, safe='')}@{broker}/{VHOST}" for user, word in passwords.items()}
    for service in SERVICES:
        database = ServiceDatabase(service, "qudao", directory)
        made[f"{service}-database-url"] = database.url(admin_url)
        made[f"{service}-owner-database-url"] = database.owner_url(admin_url)
    for name, content in made.items():
        write_beside(directory / name, content.encode()).replace(directory / name)
    let_containers_read(directory, [*SECRETS, *made])


def let_containers_read(directory: Path, names: list[str]) -> None:
    signing = [directory / "signing" / f"{issuer}.pem" for issuer in ISSUERS]
    trusted = [directory / "trusted" / f"{issuer}.pem" for issuer in ISSUERS]
    for path in (*(directory / name for name in names), *signing, *trusted):
        path.chmod(0o444)
    (directory / "trusted").chmod(0o755)  # the one folder that is mounted as a whole: public keys


def secret(directory: Path, name: str) -> str:
    return (directory / name).read_text(encoding="utf-8").strip()


def main(words: list[str]) -> None:
    if len(words) != 1:
        raise SystemExit("Usage: python -m ops.compose DIRECTORY")
    try:
        make_files(Path(words[0]))
    except OSError as error:
        raise SystemExit(f"The files in {words[0]} could not be made: {error.strerror} ({error.filename}).") from None
    print(f"keys, addresses and the broker's users are in {words[0]}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
