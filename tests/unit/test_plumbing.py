"""The parts of the plumbing that need no server."""

import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.contracts.activities import WriteNote
from services.contracts.base import Page, PageQuery
from services.contracts.customers import EnterCustomer
from services.contracts.errors import InvalidCursor, NotAuthenticated, PermissionDenied
from services.contracts.identity import OpenSession, SetUp
from services.contracts.permissions import SYSTEM, Scope
from services.contracts.tree import AgencyView
from services.plumbing import ids, paging
from services.plumbing.bus import address
from services.plumbing.masking import mask, masked
from services.plumbing.passport import LEEWAY, LIFETIME, Caller, Signer, Verifier
from services.plumbing.settings import ServiceSettings, SettingMissing, read
from tests.api import eventually

ALICE = Caller(str(uuid4()), roles=("rep", "auditor"), grants={"customer:read": Scope.OWN}, display_name="Alice")


def pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Ed25519PrivateKey]:
    made = {issuer: Ed25519PrivateKey.generate() for issuer in ("identity", "rules", "gateway")}
    for issuer, key in made.items():
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / f"{issuer}.pem").write_bytes(public)
    return made


@pytest.fixture
def verifier(keys: dict[str, Ed25519PrivateKey], tmp_path: Path) -> Verifier:
    return Verifier(tmp_path)


def test_a_passport_says_who_asks_and_what_he_may(keys: dict[str, Ed25519PrivateKey], verifier: Verifier) -> None:
    assert verifier.verify(Signer("identity", pem(keys["identity"])).sign(ALICE)) == ALICE


def test_a_service_speaks_for_itself_with_what_the_table_gives_it(keys: dict[str, Ed25519PrivateKey], verifier: Verifier) -> None:
    caller = verifier.verify(Signer("rules", pem(keys["rules"])).own())
    assert (caller.subject, caller.grants) == ("system:rules", dict.fromkeys(SYSTEM["rules"], Scope.ALL))
    with pytest.raises(PermissionDenied):
        _ = caller.user_id


def test_a_passport_ends(keys: dict[str, Ed25519PrivateKey], verifier: Verifier) -> None:
    signer = Signer("identity", pem(keys["identity"]))
    with pytest.raises(NotAuthenticated):
        verifier.verify(signer.sign(ALICE, now=time.time() - LIFETIME - 3))


def test_a_verified_passport_ends_too(keys: dict[str, Ed25519PrivateKey], verifier: Verifier) -> None:
    almost_over = time.time() - LIFETIME - LEEWAY + 2
    token = Signer("identity", pem(keys["identity"])).sign(ALICE, now=almost_over)
    verifier.verify(token)
    with pytest.raises(NotAuthenticated):
        eventually(lambda: verifier.verify(token), seconds=10, until=lambda _: False)


def forgeries(keys: dict[str, Ed25519PrivateKey]) -> dict[str, str | None]:
    identity, rules, stranger = keys["identity"], keys["rules"], Ed25519PrivateKey.generate()
    good = jwt.decode(Signer("identity", pem(identity)).sign(ALICE), options={"verify_signature": False})

    def token(key: Ed25519PrivateKey, kid: str = "identity", **claims: object) -> str:
        return jwt.encode({**good, **claims}, key, algorithm="EdDSA", headers={"kid": kid})

    return {
        "none at all": None,
        "no token": "not a token",
        "no signature": jwt.encode(good, None, algorithm="none", headers={"kid": "identity"}),
        "a public key as a shared secret": jwt.encode(good, "x" * 32, algorithm="HS256", headers={"kid": "identity"}),
        "another key": token(stranger),
        "a service that speaks for a user": token(rules, "rules", iss="rules"),
        "a service under identity's name": token(rules),
        "a service that speaks for another": token(rules, "rules", iss="rules", sub="system:gateway"),
        "identity that speaks for a service": token(identity, sub="system:gateway"),
        "an unknown issuer": token(stranger, "stranger", iss="stranger"),
        "another audience": token(identity, aud="elsewhere"),
        "no audience": token(identity, aud=None),
        "a long life": token(identity, exp=good["iat"] + 3600),
        "no end": token(identity, exp=None),
        "grants that do not exist": token(identity, grants={"customer:read": "everything"}),
    }


@pytest.mark.parametrize("name", forgeries({i: Ed25519PrivateKey.generate() for i in ("identity", "rules")}))
def test_a_forged_passport_is_refused(name: str, keys: dict[str, Ed25519PrivateKey], verifier: Verifier) -> None:
    with pytest.raises(NotAuthenticated):
        verifier.verify(forgeries(keys)[name])


def test_ids_lie_in_the_order_in_which_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [ids.new_id() for _ in range(1000)]
    assert made == sorted(made)
    monkeypatch.setattr(ids, "source", lambda: UUID(int=7))
    assert ids.new_id() == UUID(int=7)


def test_masking_leaves_out_secrets_and_shortens_numbers() -> None:
    entry = masked(EnterCustomer(name="五环", phone="13812341234"))
    assert (entry["name"], entry["phone"]) == ("五环", "138****1234")
    assert masked(EnterCustomer(name="五环", contact_person="刘女士"))["contact_person"] == "****"
    setup = masked(SetUp(secret="s3cret", agency_name="总部", login="root", display_name="R", password="pass word"))
    assert setup.keys() == {"agency_name", "login", "display_name"}
    assert masked(OpenSession(login="root", password="p", token_digest="0" * 64)) == {
        "login": "****",
        "captcha_id": None,
        "client": None,
        "address": None,
    }


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("13812341234", "138****1234"),
        ("１３８ １２３４ １２３４", "138****1234"),
        ("+86 138-1234-1234", "138****1234"),
        ("013812341234", "138****1234"),
        ("0514-2398577", "0514****577"),
        ("(0514)23985770", "0514****770"),
        ("010-12345678", "010****678"),
        ("4001234567", "400****567"),
        ("+1 212 555 0100", "121****100"),
        ("2398577", "****577"),
        ("95588", "****"),
        ("12345", "****"),
        ("0514-2398577转801", "0514****577"),
        ("13812341234#801", "138****1234"),
        ("0514-2398577/78", "0514****577"),
        ("0514-2398577、13912345678", "0514****577/139****5678"),
        ("13812341234 刘女士", "138****1234"),
        ("138x1234y1234", "****"),
        ("0514——2398577", "****577"),
        ("刘女士", "****"),
        ("", "****"),
        ("wang@d.com", "w***@d.com"),
        ("Ｗang＠d.com", "W***@d.com"),
        ("a@b.com, wang@d.com", "a***@b.com,/w***@d.com"),
        ("13812341234@139.com", "1***@139.com"),
        ("a@138-1234-1234", "a***@****"),
        ("wang@d.com 13812341234", "w***@d.com"),
        ("@", "****"),
    ],
)
def test_a_mask_is_enough_to_recognise_and_too_little_to_reach_anybody(typed: str, shown: str) -> None:
    assert mask(typed) == shown


def test_a_mask_never_shows_more_than_seven_digits_of_a_number_and_hides_four() -> None:
    for length in range(1, 21):
        for start in ("13812345678901234567", "05142398577123456789", "00861381234123480112", "98765432109876543210"):
            number = start[:length]
            left = sum(character.isdigit() for character in mask(number))
            assert left <= max(0, min(7, length - 4)), (number, mask(number))


def test_a_note_without_maturity_is_refused() -> None:
    with pytest.raises(ValueError, match="maturity"):
        WriteNote.model_validate({"customer_id": str(uuid4()), "method": "phone", "content": "x"})


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "a\nb", "x" * 201, "\u2028"])
def test_a_name_that_could_break_a_line_or_the_database_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        EnterCustomer(name=name)


def test_a_page_ends_where_the_list_does() -> None:
    of_all = {"is_headquarters": False, "is_frozen": False, "version": 1}
    agencies = [AgencyView(id=UUID(int=n), name=str(n), **of_all) for n in range(1, 4)]
    page = paging.page(Page[AgencyView], agencies, 2)
    assert [agency.name for agency in page.items] == ["1", "2"]
    assert paging.decode_id(page.next_cursor) == UUID(int=2)
    assert paging.page(Page[AgencyView], agencies, 3).next_cursor is None
    assert paging.decode_id(PageQuery().cursor) is None


@pytest.mark.parametrize("cursor", ["x", "!!!", "W10", "WzFd", "eyJhIjoxfQ", "W1sxXV0", "\u00e4"])
def test_a_cursor_that_we_did_not_give_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        paging.decode_id(cursor)


def test_a_setting_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv("QUDAO_SOMETHING_FILE", str(tmp_path / "secret"))
    assert read("QUDAO_SOMETHING") == "from the file"
    monkeypatch.setenv("QUDAO_SOMETHING", "directly")
    assert read("QUDAO_SOMETHING") == "directly"


def test_a_missing_setting_is_named_and_a_wrong_one_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUDAO_WORKERS", "hunter2")
    with pytest.raises(SettingMissing) as missing:
        ServiceSettings.of("customers")
    assert "QUDAO_AMQP_URI" in str(missing.value)
    assert "QUDAO_WORKERS" in str(missing.value)
    assert "hunter2" not in str(missing.value)


def test_a_brokers_address_is_unquoted() -> None:
    found = address("amqp://us%40er:p%2Fw@broker:5673/%2Fvhost")
    assert (found["host"], found["userid"], found["password"], found["virtual_host"]) == ("broker:5673", "us@er", "p/w", "/vhost")
    assert address("amqp://u:p@broker/")["virtual_host"] == "/"


def test_the_same_caller_with_other_grants_is_another() -> None:
    assert replace(ALICE, grants={}) != ALICE
