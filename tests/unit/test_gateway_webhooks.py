"""Signed messages as a sender sees them, against stand-ins of the services."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest

from gateway.tokens import SourceSecrets
from gateway.webhooks import Signed
from services.plumbing.passport import Signer
from tests.unit.gateway_stand import USER, Gateway, Stand, running_stand

NEW, TURNED, NOBODY = UUID(int=1), UUID(int=3), UUID(int=0)
"""Sources whose key has one version, two, none."""
MEMBER = {"name": "扬州五环印花厂", "phone": "0514-8881234"}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with running_stand(tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture(scope="module")
def gateway(stand: Stand) -> Iterator[Gateway]:
    with stand.gateway(webhooks_burst=1_000) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def secrets(stand: Stand) -> SourceSecrets:
    return SourceSecrets(Signer("gateway", (stand.keys / "signing" / "gateway.pem").read_text()).key)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.client() as client:
        yield client


def signed(
    key: bytes, body: bytes, webhook_id: str = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", at: float | None = None
) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.digest(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    headers = {"Webhook-Id": webhook_id, "Webhook-Timestamp": timestamp, "Webhook-Signature": signature}
    return {"Content-Type": "application/json", **headers}


def body_of(**fields: Any) -> bytes:
    return json.dumps(MEMBER | fields, ensure_ascii=False).encode()


def sent(client: httpx.Client, source: UUID, body: bytes, headers: dict[str, str]) -> httpx.Response:
    raw = {name: value.encode() for name, value in headers.items()}
    return client.post(f"/v1/member-webhooks/{source}", content=body, headers=httpx.Headers(raw))  # type: ignore[arg-type]


def refusal_of(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    """All of the answer but what names the request."""
    told = {name: value for name, value in answer.json().items() if name not in ("instance", "request_id")}
    return answer.status_code, told


def test_signatures_are_those_of_the_specification() -> None:
    """The example of its reference libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message = Signed("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}', ())
    assert message.expected(key) == b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_source_and_version_has_a_secret_of_its_own(secrets: SourceSecrets) -> None:
    shown = {secrets.shown(source, version) for source in (NEW, TURNED) for version in (1, 2)}
    assert len(shown) == 4
    assert all(secret.startswith("whsec_") and len(base64.b64decode(secret[6:])) == 32 for secret in shown)
    assert secrets.shown(NEW, 1) in shown


@pytest.mark.parametrize(("source", "version"), [(NEW, 1), (TURNED, 3), (TURNED, 2)])
def test_what_is_signed_by_a_key_that_counts_is_taken(
    client: httpx.Client, secrets: SourceSecrets, source: UUID, version: int
) -> None:
    body = body_of()
    assert sent(client, source, body, signed(secrets.key(source, version), body)).status_code == 200


@pytest.mark.parametrize("off", [-299, 0, 299])
def test_clocks_may_differ_by_five_minutes(client: httpx.Client, secrets: SourceSecrets, off: int) -> None:
    body = body_of()
    assert sent(client, NEW, body, signed(secrets.key(NEW, 1), body, at=time.time() + off)).status_code == 200


def test_one_of_several_signatures_is_enough(client: httpx.Client, secrets: SourceSecrets) -> None:
    body = body_of()
    headers = signed(secrets.key(NEW, 1), body)
    headers["Webhook-Signature"] = f"v1a,x v1,{'A' * 43}= {headers['Webhook-Signature']}"
    assert sent(client, NEW, body, headers).status_code == 200


def test_everything_else_is_refused_in_the_same_words(client: httpx.Client, secrets: SourceSecrets) -> None:
    key, body = secrets.key(NEW, 1), body_of()
    right = signed(key, body)
    headers = {
        "another key": signed(secrets.key(NEW, 2), body),
        "another source's": signed(secrets.key(TURNED, 1), body),
        "another body": signed(key, body + b" "),
        "old": signed(key, body, at=time.time() - 302),
        "early": signed(key, body, at=time.time() + 302),
        "another id": right | {"Webhook-Id": "other"},
        "another time": right | {"Webhook-Timestamp": str(int(right["Webhook-Timestamp"]) - 1)},
        "no time": right | {"Webhook-Timestamp": "now"},
        "odd digits": right | {"Webhook-Timestamp": "１６１４２６５３３０"},
        "a full stop": signed(key, body, "a.1"),
        "a long id": signed(key, body, "a" * 201),
        "no version": right | {"Webhook-Signature": right["Webhook-Signature"][3:]},
        "the sixth": right | {"Webhook-Signature": " ".join(["v1,x"] * 5 + [right["Webhook-Signature"]])},
        "odd letters": right | {"Webhook-Signature": "v1,é"},
        **{f"without {name}": {key: value for key, value in right.items() if key != name} for name in right if "W" in name},
    }
    answers = {about: sent(client, NEW, body, each) for about, each in headers.items()}
    answers |= {
        "unknown": sent(client, NOBODY, body, signed(secrets.key(NOBODY, 1), body)),
        "without a version": sent(client, NOBODY, body, signed(hmac.digest(b"", b"", "sha256"), body)),
        "too long ago": sent(client, TURNED, body, signed(secrets.key(TURNED, 1), body)),
        "disabled meanwhile": sent(client, NEW, body_of(name="gone"), signed(key, body_of(name="gone"))),
    }

    status, told = refusal_of(answers["another key"])
    assert (status, told["type"]) == (401, "urn:qudao:problem:webhook-refused")
    assert {about: refusal_of(answer) for about, answer in answers.items() if refusal_of(answer) != (status, told)} == {}


def test_who_has_not_signed_learns_nothing_of_what_is_wrong_with_a_body(client: httpx.Client, secrets: SourceSecrets) -> None:
    body = body_of(phone=None, odd=1)
    wrong, right = (sent(client, NEW, body, signed(secrets.key(NEW, version), body)) for version in (2, 1))
    assert (wrong.status_code, right.status_code) == (401, 422)


def test_repeats_carry_the_source_and_the_id_as_key(client: httpx.Client, secrets: SourceSecrets) -> None:
    body = body_of()
    answers = [sent(client, NEW, body, signed(secrets.key(NEW, 1), body, "msg_1", time.time() - age)) for age in (0, 9)]
    assert [answer.json()["id"] for answer in answers] == [str(uuid5(USER, f"{NEW}/msg_1"))] * 2


def test_a_flood_is_sent_away_and_only_who_has_signed_counts(stand: Stand, secrets: SourceSecrets) -> None:
    body = body_of()
    right, wrong = signed(secrets.key(NEW, 1), body), signed(secrets.key(NEW, 2), body)
    other = signed(secrets.key(TURNED, 3), body)
    with stand.gateway(webhooks_per_second=0.01, webhooks_burst=5) as gateway, gateway.client() as client:
        with ThreadPoolExecutor(8) as threads:
            strangers = list(threads.map(lambda _: sent(client, NEW, body, wrong).status_code, range(20)))
            answers = list(threads.map(lambda _: sent(client, NEW, body, right), range(20)))

        assert set(strangers) == {401}
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 15
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["type"] == "urn:qudao:problem:too-many-requests"
        assert int(refused.headers["Retry-After"]) >= 60
        assert sent(client, TURNED, body, other).status_code == 200


def test_guesses_at_sources_are_not_asked_about_without_end(stand: Stand, secrets: SourceSecrets) -> None:
    body = body_of()
    right = signed(secrets.key(NEW, 1), body)
    with stand.gateway(webhooks_per_second=0.01, webhooks_burst=5) as gateway, gateway.client() as client:
        assert sent(client, NEW, body, right).status_code == 200

        guesses = [sent(client, UUID(int=1_000 + number), body, right).status_code for number in range(20)]

        assert guesses == [401] * 4 + [429] * 16
        time.sleep(0.6)  # for so long the gateway may know what it knew
        assert sent(client, NEW, body, right).status_code == 200
