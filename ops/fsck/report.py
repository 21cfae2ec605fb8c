"""What was found."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["missing", "doubled", "wrong"]
"""`missing`: something that was there or must follow is not there. `doubled`: something is there once more than it came about.
`wrong`: it is there and says something else."""


@dataclass(frozen=True)
class Finding:
    """A row that breaks an invariant; `service` is whose database it stands in. Neither names nor numbers of people are told."""

    invariant: str
    service: str
    subject: str
    detail: str
    kind: Kind


@dataclass
class Report:
    """`counted`: how many rows each invariant looked at. `found`: how many broke it; only the first of them are in `findings`."""

    counted: dict[str, int] = field(default_factory=dict)
    found: dict[str, Counter[Kind]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not any(self.found.values())

    def total(self, *kinds: Kind) -> int:
        """How many findings there are of these kinds, of all without any."""
        return sum(count for found in self.found.values() for kind, count in found.items() if not kinds or kind in kinds)

    def as_json(self) -> dict[str, Any]:
        found = {name: dict(kinds) for name, kinds in self.found.items() if kinds}
        findings = [asdict(finding) for finding in self.findings]
        return {"is_clean": self.is_clean, "counted": self.counted, "found": found, "findings": findings}

    def lines(self) -> list[str]:
        """For a person: one line for each invariant, its findings below it, a summary at the end."""
        said = []
        for name, counted in self.counted.items():
            found, listed = self.found[name].total(), [finding for finding in self.findings if finding.invariant == name]
            said.append(f"BROKEN {name} {counted:,}: {found:,} found" if found else f"ok {name} {counted:,}")
            said += [f"  {finding.subject}: {finding.kind}, {finding.detail}" for finding in listed]
            if found > len(listed):
                said.append(f"  and {found - len(listed):,} more")
        return [*said, self.summary()]

    def summary(self) -> str:
        looked = f"{len(self.counted)} invariants over {sum(self.counted.values()):,} rows"
        if self.is_clean:
            return f"fsck: no findings, {looked}"
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(sum(self.found.values(), Counter[Kind]()).items()))
        return f"fsck: {self.total():,} findings ({kinds}), {looked}"
