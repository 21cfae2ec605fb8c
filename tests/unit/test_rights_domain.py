"""On whose records somebody's permissions count, what he may give, and what his passport says of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.errors import AboveCeiling, AboveYourRights
from services.contracts.permissions import OF_RECORDS, PERMISSIONS, ROLES, SYSTEM, Permission, Scope, abilities_of, scopes_of
from services.contracts.reach import Grants, Listed, Mixed, Place, Reach, covers, is_within, together, union_of, words_of
from services.contracts.roles import RoleGrant
from services.identity.granting import (
    Receiver,
    check_ceilings,
    check_contents,
    check_leaders,
    check_role,
    check_row,
    check_row_ceilings,
    check_sight,
)
from services.plumbing.claims import read_grants, read_id, write_grants
from services.plumbing.passport import Caller, Signer, Verifier

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
AGENCIES = [UUID(int=1), UUID(int=2)]
ROOT, LEFT, RIGHT, LEAF, THEIRS = (UUID(int=10 + number) for number in range(5))
PATHS = {ROOT: (ROOT,), LEFT: (ROOT, LEFT), RIGHT: (ROOT, RIGHT), LEAF: (ROOT, LEFT, LEAF), THEIRS: (THEIRS,)}
PEOPLE = {UUID(int=100 + number): department for number, department in enumerate((ROOT, LEFT, RIGHT, LEAF, LEAF, THEIRS))}
SUPERVISORS = {UUID(int=101): {UUID(int=100)}, UUID(int=103): {UUID(int=101), UUID(int=100)}}


def caller(person: UUID, *managed: UUID) -> Caller:
    return Caller(str(person), agency_of(person), PEOPLE[person], managed)


def agency_of(person: UUID) -> UUID:
    return AGENCIES[1] if PEOPLE[person] == THEIRS else AGENCIES[0]


def own(person: UUID) -> Place:
    return Place(agency_of(person), person, PATHS[PEOPLE[person]], frozenset(SUPERVISORS.get(person, ())))


def whole(department: UUID) -> Place:
    return Place(AGENCIES[1] if department == THEIRS else AGENCIES[0], None, PATHS[department])


PLACES = [*map(own, PEOPLE), *map(whole, PATHS)]
SCOPES = st.sampled_from([scope for scope in Scope if scope is not Scope.LISTED])
NARROW = st.sampled_from([Scope.OWN, Scope.SUBORDINATES, Scope.DEPARTMENT_ALONE, Scope.DEPARTMENT, Scope.MANAGED])
ENDS = st.sampled_from([None, NOON, LATER])
MIXED = st.builds(
    Mixed,
    st.frozensets(NARROW, max_size=3),
    st.frozensets(st.builds(Listed, st.sampled_from(list(PATHS)), ENDS), max_size=3),
    st.frozensets(st.builds(Listed, st.sampled_from(list(PEOPLE)), ENDS), max_size=3),
)
REACHES = st.one_of(SCOPES, MIXED)
CALLERS = st.builds(caller, st.sampled_from(list(PEOPLE)), st.sampled_from([LEFT, RIGHT]))


# --- reaches


@given(REACHES, REACHES, REACHES)
def test_what_several_sources_give_together_does_not_depend_on_their_order(one: Reach, other: Reach, third: Reach) -> None:
    assert together(one, other) == together(other, one)
    assert together(together(one, other), third) == together(one, together(other, third))
    assert together(together(one, other), other) == together(one, other)


@given(REACHES, REACHES, CALLERS, st.sampled_from(PLACES), ENDS)
def test_together_they_reach_what_one_of_them_does(
    one: Reach, other: Reach, who: Caller, place: Place, until: datetime | None
) -> None:
    either = covers(one, who, place, until) or covers(other, who, place, until)
    assert covers(together(one, other), who, place, until) is either


@given(REACHES, REACHES, CALLERS, st.sampled_from(PLACES))
def test_what_is_within_another_reach_reaches_no_more(narrow: Reach, wide: Reach, who: Caller, place: Place) -> None:
    if is_within(narrow, wide) and covers(narrow, who, place, LATER):
        assert covers(wide, who, place, LATER)


REP, TEAM_LEAD, NEIGHBOUR, IN_LEAF, STRANGER = (UUID(int=number) for number in (103, 101, 102, 104, 105))


@pytest.mark.parametrize(
    ("scope", "reached"),
    [
        (Scope.OWN, {TEAM_LEAD}),
        (Scope.SUBORDINATES, {TEAM_LEAD, REP}),
        (Scope.DEPARTMENT_ALONE, {TEAM_LEAD}),
        (Scope.DEPARTMENT, {TEAM_LEAD, REP, IN_LEAF}),
        (Scope.MANAGED, {TEAM_LEAD, REP, IN_LEAF, NEIGHBOUR}),
        (Scope.AGENCY, {person for person in PEOPLE if person != STRANGER}),
        (Scope.ALL, set(PEOPLE)),
    ],
)
def test_each_scope_reaches_whom_it_names(scope: Scope, reached: set[UUID]) -> None:
    lead = caller(TEAM_LEAD, RIGHT)
    assert {person for person in PEOPLE if covers(scope, lead, own(person), None)} == reached


def test_a_listed_department_counts_up_to_its_end_and_not_at_it() -> None:
    reach = Mixed(departments=frozenset({Listed(LEFT, NOON)}))
    assert covers(reach, caller(NEIGHBOUR), own(REP), NOON)
    assert not covers(reach, caller(NEIGHBOUR), own(REP), NOON + timedelta(microseconds=1))
    assert not covers(reach, caller(NEIGHBOUR), own(NEIGHBOUR), NOON), "a grant alone gives nothing that is one's own"
    assert words_of(together(reach, Scope.OWN)) == "listed + own"


# --- roles and permissions


def test_every_scope_of_a_built_in_role_has_its_meaning() -> None:
    assert all(scope in scopes_of(permission) for grants in ROLES.values() for permission, scope in grants.items())
    assert scopes_of("customer:read") == frozenset(Scope)
    assert scopes_of("collision:configure") == {Scope.ALL}
    assert scopes_of("customer:claim") == {Scope.OWN}


def test_what_counts_on_records_is_no_permission_of_services() -> None:
    assert not OF_RECORDS & {permission for own in SYSTEM.values() for permission in own}
    assert OF_RECORDS <= PERMISSIONS


@pytest.mark.parametrize(
    ("roles", "abilities"),
    [
        (["rep"], ["holds", "sells"]),
        (["supervisor"], ["holds"]),
        (["manager", "rep"], ["holds", "oversees", "sells"]),
        (["agency_admin"], ["administers"]),
        (["subsystem_admin", "auditor"], []),
    ],
)
def test_what_roles_make_of_somebody(roles: list[str], abilities: list[str]) -> None:
    assert abilities_of(ROLES[role] for role in roles) == abilities


@pytest.mark.parametrize(
    "grant",
    [
        {"permission": "customer:claim", "scope": "agency"},
        {"permission": "health:read", "scope": "all"},
        {"permission": "customer:read", "scope": "listed"},
        {"permission": "customer:read", "scope": "own", "department_ids": [str(LEFT)]},
    ],
)
def test_a_grant_without_meaning_is_refused(grant: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"permission|departments"):
        RoleGrant.model_validate(grant)


# --- giving (invariant 14)

RECORD_PERMISSIONS: list[Permission] = ["customer:read", "customer:transfer", "user:create"]
RIGHTS = st.one_of(
    st.dictionaries(st.sampled_from(RECORD_PERMISSIONS), REACHES, max_size=3),
    st.lists(st.sampled_from(list(ROLES)), max_size=2).map(lambda roles: union_of(ROLES[role] for role in roles)),
)


@given(CALLERS, RIGHTS, RIGHTS, CALLERS)
def test_nobody_gives_a_role_that_reaches_further_than_he_may_give(giver: Caller, held: Grants, role: Grants, to: Caller) -> None:
    try:
        check_role(giver, held, role, Receiver(own(to.user_id), is_of_headquarters=to.agency_id == AGENCIES[0]))
    except AboveYourRights:
        return
    for permission, reach in role.items():
        for place in PLACES:
            if covers(reach, to, place, None) and permission in RECORD_PERMISSIONS:
                assert covers(held[permission], giver, place, None), (permission, place)


@given(CALLERS, RIGHTS, RIGHTS, CALLERS, st.booleans())
def test_nobody_writes_more_into_a_role_than_he_may_give_whoever_has_it(
    giver: Caller, held: Grants, contents: Grants, holder: Caller, is_common: bool
) -> None:
    try:
        check_contents(giver, held, contents, Place(holder.agency_id), is_common=is_common)
    except AboveYourRights:
        return
    for permission, reach in contents.items():
        for place in PLACES:
            if covers(reach, holder, place, None) and permission in RECORD_PERMISSIONS:
                assert covers(held[permission], giver, place, None), (permission, place)


@given(CALLERS, RIGHTS, st.sampled_from(PLACES), ENDS)
def test_nobody_grants_on_records_what_he_does_not_hold_there_for_as_long(
    giver: Caller, held: Grants, place: Place, until: datetime | None
) -> None:
    try:
        check_row(giver, held, "customer:read", place, until)
    except AboveYourRights:
        return
    assert covers(held["customer:read"], giver, place, until)
    assert covers(held["grant:give"], giver, place, until)


@given(CALLERS, RIGHTS, st.sampled_from(list(PEOPLE)), st.sampled_from([LEFT, RIGHT, LEAF]))
def test_nobody_comes_to_reach_somebody_by_moving_him(giver: Caller, held: Grants, person: UUID, to: UUID) -> None:
    before, after = own(person), Place(agency_of(person), person, PATHS[to])
    try:
        check_sight(giver, held, before, after)
    except AboveYourRights:
        return
    for reach in held.values():
        assert covers(reach, giver, before, None) or not covers(reach, giver, after, None)


def test_a_supervisor_is_set_by_who_holds_what_that_gives_him() -> None:
    leader: Grants = {"customer:read": together(Scope.SUBORDINATES, Scope.DEPARTMENT), "day:read": Scope.OWN}
    check_leaders(caller(UUID(int=100)), ROLES["agency_admin"], [leader, ROLES["rep"]], own(REP))
    check_leaders(caller(TEAM_LEAD), {"user:create": Scope.AGENCY}, [ROLES["manager"]], own(REP))
    for held in ({"user:create": Scope.AGENCY}, {"customer:read": Scope.SUBORDINATES}):
        with pytest.raises(AboveYourRights):
            check_leaders(caller(TEAM_LEAD), held, [leader], own(REP))  # type: ignore[arg-type]


def test_administrators_appoint_sellers_though_they_do_not_sell() -> None:
    admin = caller(UUID(int=100))
    for role in ("rep", "supervisor", "manager", "agency_admin", "auditor"):
        check_role(admin, ROLES["agency_admin"], ROLES[role], Receiver(own(REP), is_of_headquarters=True))
    with pytest.raises(AboveYourRights):
        check_role(admin, ROLES["agency_admin"], ROLES["subsystem_admin"], Receiver(own(REP), is_of_headquarters=True))
    with pytest.raises(AboveYourRights):
        check_role(admin, ROLES["agency_admin"], ROLES["rep"], Receiver(own(STRANGER), is_of_headquarters=False))
    with pytest.raises(AboveYourRights):
        check_role(caller(REP), ROLES["rep"], ROLES["rep"], Receiver(own(IN_LEAF), is_of_headquarters=False))


def test_who_adds_users_gives_what_it_takes_to_sell_and_no_more_of_it_than_sellers_have() -> None:
    clerk, to = caller(UUID(int=100)), Receiver(own(REP), is_of_headquarters=False)
    held: Grants = {"user:create": Scope.AGENCY, "customer:read": Scope.OWN}
    sellers: Grants = {
        "audit:read": Scope.OWN,
        "customer:claim": Scope.OWN,
        "customer:update": Scope.OWN,
        "user:read": Scope.AGENCY,
    }
    check_role(clerk, held, sellers, to)
    check_contents(clerk, held, sellers, Place(to.place.agency_id), is_common=False)
    for permission in (
        "audit:read",
        "access:explain",
        "collaborator:manage",
        "customer:assign",
        "customer:update",
        "handoff:create",
    ):
        with pytest.raises(AboveYourRights):
            check_role(clerk, held, {permission: Scope.AGENCY}, to)
        with pytest.raises(AboveYourRights):
            check_contents(clerk, held, {permission: Scope.AGENCY}, Place(to.place.agency_id), is_common=False)
    check_role(clerk, held | {"customer:read": Scope.AGENCY}, {"customer:update": Scope.AGENCY}, to)


def test_only_people_of_headquarters_are_given_what_counts_on_all_agencies() -> None:
    root = caller(UUID(int=100))
    check_role(root, ROLES["subsystem_admin"], ROLES["subsystem_admin"], Receiver(own(REP), is_of_headquarters=True))
    with pytest.raises(AboveYourRights):
        check_role(root, ROLES["subsystem_admin"], ROLES["subsystem_admin"], Receiver(own(REP), is_of_headquarters=False))


def test_nobody_is_given_more_than_his_department_may_have() -> None:
    of_reps = union_of([ROLES["rep"]])
    check_ceilings(ROLES["rep"], [of_reps, union_of([ROLES["rep"], ROLES["supervisor"]])])
    check_ceilings(ROLES["manager"], [])
    with pytest.raises(AboveCeiling):
        check_ceilings(ROLES["supervisor"], [of_reps])
    check_row_ceilings(caller(REP), "customer:read", own(REP), [of_reps])
    check_row_ceilings(caller(TEAM_LEAD), "customer:read", own(IN_LEAF), [union_of([ROLES["supervisor"]])])
    for permission, place in (("customer:read", own(IN_LEAF)), ("customer:transfer", own(REP))):
        with pytest.raises(AboveCeiling):
            check_row_ceilings(caller(REP), permission, place, [of_reps])  # type: ignore[arg-type]


# --- passports


@pytest.fixture
def signer(tmp_path: Path) -> tuple[Signer, Verifier]:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "identity.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Signer("identity", pem), Verifier(tmp_path)


@given(st.dictionaries(st.sampled_from(sorted(PERMISSIONS)), REACHES, max_size=6))
def test_a_passport_says_what_was_put_into_it(grants: dict[Permission, Reach]) -> None:
    assert read_grants(write_grants(grants)) == grants


def test_a_passport_of_an_older_identity_is_read() -> None:
    assert read_grants({"customer:read": "department"}) == {"customer:read": Scope.DEPARTMENT}
    assert read_id(str(LEFT)) == LEFT


def test_the_fullest_passport_has_4_kilobytes_at_most(signer: tuple[Signer, Verifier]) -> None:
    signs, verifies = signer
    ids = [UUID(int=(number + 1) * 2**90 + 12345) for number in range(60)]
    listed = Mixed(frozenset({Scope.OWN}), frozenset(Listed(id_) for id_ in ids[20:40]))
    given = Mixed(people=frozenset(Listed(id_, NOON + timedelta(microseconds=7)) for id_ in ids[40:]))
    sources: list[Grants] = [
        *ROLES.values(),
        {"customer:read": Scope.SUBORDINATES, "dispute:answer": listed},
        {"day:read": given},
    ]
    everything = Caller(
        subject=str(ids[0]),
        agency_id=ids[1],
        department_id=ids[2],
        managed_department_ids=tuple(ids[:20]),
        session_id=ids[3],
        roles=(*ROLES, *map(str, ids[:4])),
        grants=union_of(sources),
        display_name="一位名字很长很长的管理员" * 2,
    )
    agencys = Caller(
        **{**vars(everything), "grants": union_of(each for name, each in ROLES.items() if name != "subsystem_admin")}
    )
    for user in (everything, agencys):
        token = signs.sign(user)
        assert len(token) <= 4096
        assert verifies.verify(token) == user
