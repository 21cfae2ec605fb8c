"""The databases of an installation: their names, their roles, and the addresses made from an administrator's."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit


@dataclass(frozen=True)
class ServiceDatabase:
    """Where one service keeps its data, and the two roles that may enter."""

    service: str
    prefix: str
    secrets: Path

    @property
    def name(self) -> str:
        return f"{self.prefix}_{self.service}"

    @property
    def role(self) -> str:
        """What the running service logs in as: reads and writes rows."""
        return self.name

    @property
    def owner(self) -> str:
        """What migrations log in as: makes and changes tables."""
        return f"{self.name}_owner"

    @property
    def password(self) -> str:
        return self.secret(f"{self.service}-database-password")

    @property
    def owner_password(self) -> str:
        return self.secret(f"{self.service}-owner-password")

    def url(self, admin_url: str) -> str:
        return derive(admin_url, database=self.name, user=self.role, password=self.password)

    def owner_url(self, admin_url: str) -> str:
        return derive(admin_url, database=self.name, user=self.owner, password=self.owner_password)

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text(encoding="utf-8").strip()


def derive(url: str, database: str, user: str | None = None, password: str = "") -> str:
    """The same server and options (`?sslmode=…`), another database and, when given, another login."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    replaced = {"dbname"}
    if user is not None:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        replaced |= {"user", "password"}
    options = [(key, value) for key, value in parse_qsl(parts.query) if key not in replaced]
    netloc = f"{login}@{host}" if login else host
    return urlunsplit((parts.scheme, netloc, f"/{quote(database, safe='')}", urlencode(options), ""))
