"""Makes the keys and secrets of an installation, once: `python -m ops.keys DIRECTORY`.

What is there is kept, so it may run before every start. Only the owner of the directory can read it. A secret is a file
without a newline at its end, as `X_FILE` settings and container secrets expect it.
"""

import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

SERVICES = ("identity", "customers", "activities", "rules")
ISSUERS = (*SERVICES, "gateway")
SECRETS = (
    "setup-secret",
    "postgres-password",
    "broker-password",
    *(f"{service}-database-password" for service in SERVICES),
    *(f"{service}-owner-password" for service in SERVICES),
    *(f"{user}-broker-password" for user in ISSUERS),
)


def make_keys(directory: Path) -> None:
    """Makes what is missing below the directory; two at once end with the same files."""
    for folder in (directory, directory / "signing", directory / "trusted"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    for name in SECRETS:
        keep(directory / name, lambda: secrets.token_urlsafe(24).encode())
    for issuer in ISSUERS:
        signing = directory / "signing" / f"{issuer}.pem"
        keep(signing, private_pem)
        publish(signing, directory / "trusted" / f"{issuer}.pem")


def keep(path: Path, make: Callable[[], bytes]) -> None:
    """A hard link, unlike a rename, never replaces what another process has just put there."""
    if path.exists():
        return
    written = write_beside(path, make())
    try:
        path.hardlink_to(written)
    except FileExistsError:
        pass
    finally:
        written.unlink()


def publish(signing: Path, trusted: Path) -> None:
    """The public key follows the private one, also when an operator has replaced that."""
    public = public_pem(signing.read_bytes())
    if not trusted.exists() or trusted.read_bytes() != public:
        write_beside(trusted, public).replace(trusted)


def write_beside(path: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def private_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(private: bytes) -> bytes:
    key = load_pem_private_key(private, password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def main(words: list[str]) -> None:
    if len(words) != 1:
        raise SystemExit("Usage: python -m ops.keys DIRECTORY")
    try:
        make_keys(Path(words[0]))
    except OSError as error:
        raise SystemExit(f"The keys in {words[0]} could not be made: {error.strerror} ({error.filename}).") from None


if __name__ == "__main__":
    main(sys.argv[1:])
