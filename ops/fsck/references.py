"""Ids of another service's rows: each names one that is there."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ops.fsck.invariant import Difference, Invariant, Look

ASKED_AT_ONCE = 5_000


@dataclass(frozen=True)
class Reference:
    """`naming` gives an id and what it refers to; `named` gives which of these are there. Both in the order of `types`.

    `naming` may refer to `%(only)s`, `named` to the table `asked` of what is asked for.
    """

    service: str
    about: str
    subject: str
    naming: str
    target: str
    named: str
    types: tuple[str, ...] = ("uuid",)

    def differences(self, look: Look) -> Iterator[Difference]:
        rows = look.rows(self.service, self.naming)
        while asked := list(islice(rows, ASKED_AT_ONCE)):
            look.looked_at += len(asked)
            columns = zip(*(row[1:] for row in asked), strict=True)
            arrays = {f"of_{number}": list(column) for number, column in enumerate(columns)}
            there = set(look.rows(self.target, self.query(), **arrays))
            for key, *of in asked:
                if tuple(of) not in there:
                    told = " ".join(map(str, of))
                    yield Difference(key, "missing", f"{self.subject} {key}", f"{self.target} does not have {told}")

    def query(self) -> str:
        arrays = ", ".join(f"%(of_{number})s::{of_type}[]" for number, of_type in enumerate(self.types))
        columns = ", ".join(f"of_{number}" for number in range(len(self.types)))
        return f"SELECT asked.* FROM unnest({arrays}) AS asked({columns}) {self.named}"  # noqa: S608 constants

    @property
    def invariant(self) -> Invariant:
        return Invariant(self.service, self.about, self.differences, is_patient=True)


HOLDER = "JOIN ownership ON (customer_id, number, owner_id) = (of_0, of_1, of_2)"
HOLDER_TYPES = ("uuid", "integer", "uuid")
PERSON = "JOIN person ON id = of_0"

REFERENCES = (
    Reference(
        "activities",
        "notes by holders",
        "contact note",
        """
        SELECT id, customer_id, holding, author_id FROM contact_note
        WHERE holding IS NOT NULL AND part IS NULL AND (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s))
        """,
        "customers",
        HOLDER,
        HOLDER_TYPES,
    ),
    Reference(
        "activities",
        "notes by collaborators",
        "contact note",
        """
        SELECT id, customer_id, holding FROM contact_note
        WHERE part IS NOT NULL AND (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s))
        """,
        "customers",
        "JOIN ownership ON (customer_id, number) = (of_0, of_1) AND owner_id IS NOT NULL",
        ("uuid", "integer"),
    ),
    Reference(
        "activities",
        "older notes on customers",
        "contact note",
        """
        SELECT id, customer_id FROM contact_note
        WHERE holding IS NULL AND (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s))
        """,
        "customers",
        "JOIN customer ON id = of_0",
    ),
    Reference(
        "activities",
        "follow-ups by holders",
        "follow-up of customer",
        """
        SELECT customer_id, customer_id, holding, owner_id FROM follow_up
        WHERE %(only)s::uuid[] IS NULL OR customer_id = ANY(%(only)s)
        """,
        "customers",
        HOLDER,
        HOLDER_TYPES,
    ),
    Reference(
        "customers",
        "holders in identity",
        "person",
        """
        SELECT DISTINCT owner_id, owner_id, agency_id FROM ownership
        WHERE owner_id IS NOT NULL AND (%(only)s::uuid[] IS NULL OR owner_id = ANY(%(only)s))
        """,
        "identity",
        "JOIN person ON (id, agency_id) = (of_0, of_1)",
        ("uuid", "uuid"),
    ),
    Reference(
        "customers",
        "people in identity",
        "person",
        """
        SELECT person_id, person_id FROM (
            SELECT entered_by FROM customer UNION SELECT entered_by FROM bound_entry
            UNION SELECT person_id FROM entry_attempt UNION SELECT person_id FROM stock
            UNION SELECT created_by FROM member_source
            UNION SELECT person_id FROM member_arrival WHERE person_id IS NOT NULL
            UNION SELECT person_id FROM review_item UNION SELECT decided_by FROM review_item WHERE decided_by IS NOT NULL
            UNION SELECT person_id FROM collaborator UNION SELECT given_by FROM collaborator
            UNION SELECT from_id FROM handoff UNION SELECT to_id FROM handoff UNION SELECT offered_by FROM handoff
            UNION SELECT person_id FROM reveal
            UNION SELECT claimant_id FROM dispute UNION SELECT holder_id FROM dispute WHERE holder_id IS NOT NULL
            UNION SELECT decided_by FROM dispute WHERE decided_by IS NOT NULL UNION SELECT person_id FROM dispute_statement
            UNION SELECT person_id FROM pool_member UNION SELECT person_id FROM pool_claims
            UNION SELECT person_id FROM handover UNION SELECT person_id FROM handover_receiver
        ) AS people(person_id)
        WHERE %(only)s::uuid[] IS NULL OR person_id = ANY(%(only)s)
        """,
        "identity",
        PERSON,
    ),
    Reference(
        "customers",
        "leavings in identity",
        "leaving",
        "SELECT id, id, person_id FROM handover WHERE %(only)s::uuid[] IS NULL OR id = ANY(%(only)s)",
        "identity",
        "JOIN leaving ON (leaving.id, person_id) = (of_0, of_1)",
        ("uuid", "uuid"),
    ),
    Reference(
        "customers",
        "pools in identity",
        "agency",
        "SELECT DISTINCT agency_id, agency_id FROM pool WHERE %(only)s::uuid[] IS NULL OR agency_id = ANY(%(only)s)",
        "identity",
        "JOIN agency ON id = of_0",
    ),
    Reference(
        "rules",
        "limits in identity",
        "person",
        """
        SELECT person_id, person_id, agency_id FROM stock_limit
        WHERE person_id IS NOT NULL AND (%(only)s::uuid[] IS NULL OR person_id = ANY(%(only)s))
        """,
        "identity",
        "JOIN person ON (id, agency_id) = (of_0, of_1)",
        ("uuid", "uuid"),
    ),
)
