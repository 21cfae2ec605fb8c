"""What a client sees of the gateway: problems, headers, keys, tags, pages."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from gateway import problems
from gateway.tokens import digest_of
from services.contracts.errors import PasswordRefused
from services.contracts.identity import LOGIN_PATTERN, LOGIN_RULE
from tests.unit.gateway_stand import CUSTOMER, USER, Gateway, Stand, running_stand, wait_until

CUSTOMER_ADDRESS = f"/v1/customers/{CUSTOMER}"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with running_stand(tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture(scope="module")
def gateway(stand: Stand) -> Iterator[Gateway]:
    with stand.gateway(max_body_bytes=10_000, rpc_timeout=2) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.client(secrets.token_urlsafe(32)) as client:
        yield client


def add_agency(client: httpx.Client, name: str, **headers: str) -> httpx.Response:
    return client.post("/v1/agencies", json={"name": name}, headers={key.replace("_", "-"): headers[key] for key in headers})


def seen_by_service(answer: httpx.Response) -> dict[str, dict[str, str]]:
    """What reached the service, as the stand-in tells it in the agency's name."""
    return json.loads(answer.json()["name"])  # type: ignore[no-any-return]


# --- problems


@pytest.mark.parametrize(
    ("name", "status", "slug"),
    [
        ("NameTaken", 409, "name-taken"),
        ("PermissionDenied", 403, "permission-denied"),
        ("CommandInFlight", 409, "command-in-flight"),
        ("CommandExpired", 503, "command-expired"),
        ("InternalError", 500, "internal-error"),
    ],
)
def test_a_declared_error_becomes_its_problem(client: httpx.Client, name: str, status: int, slug: str) -> None:
    answer = add_agency(client, f"raise {name}")
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:qudao:problem:{slug}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]


def test_of_an_internal_error_the_client_learns_the_incident_alone(client: httpx.Client) -> None:
    problem = add_agency(client, "raise InternalError").json()
    assert problem["incident"] == "42"
    assert "reason" not in problem


@pytest.mark.parametrize("trouble", ["raise ValueError", "nonsense"])
def test_what_no_contract_foresees_is_told_as_an_incident_and_logged(
    gateway: Gateway, client: httpx.Client, trouble: str
) -> None:
    answer = add_agency(client, trouble)
    assert answer.status_code == 500
    assert "canary" not in answer.text + gateway.log
    assert answer.json()["incident"] in gateway.log


def test_a_wrong_body_is_explained_without_repeating_it(client: httpx.Client) -> None:
    answer = client.post("/v1/departments", json={"agency_id": "canary", "name": 5, "colour": "canary"})
    assert answer.status_code == 422
    assert [(part["in"], part["pointer"]) for part in answer.json()["errors"]] == [
        ("body", "/agency_id"),
        ("body", "/name"),
        ("body", "/colour"),
    ]
    assert "canary" not in answer.text


def test_what_is_sent_where_nothing_is_taken_is_refused(client: httpx.Client) -> None:
    address = f"/v1/users/{UUID(int=9)}/one-time-code"
    answer = client.post(address, json={"role": "canary", "owner_id": "canary"})
    assert answer.status_code == 422
    assert [part["pointer"] for part in answer.json()["errors"]] == ["/role", "/owner_id"]
    assert "canary" not in answer.text
    assert client.post(address, json=["canary"]).json()["errors"][0]["pointer"] == ""
    assert [client.post(address, json=nothing).status_code for nothing in (None, {})] == [201, 201]


@pytest.mark.parametrize(
    ("address", "body", "sentence"),
    [
        ("/v1/sessions", {"login": "!!", "password": "x"}, LOGIN_RULE),
        ("/v1/sessions", {"login": "li\u200d", "password": "x"}, LOGIN_RULE),
        ("/v1/agencies", {"name": "a\u200d"}, "must not contain invisible characters"),
        ("/v1/customers", {"name": "new", "email": "canary"}, "must be an address such as name@example.com"),
        (
            "/v1/sessions",
            {"login": "li", "password": "x", "captcha": {"id": "?", "answer": "x"}},
            "has a form or characters that are not taken here",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence_for_people(client: httpx.Client, address: str, body: Any, sentence: str) -> None:
    assert [part["detail"] for part in client.post(address, json=body).json()["errors"]] == [sentence]


@pytest.mark.parametrize(
    ("details", "detail"),
    [
        ({"detail": "The body is not UTF-8.", "reason": "utf8"}, "The body is not UTF-8."),
        ({"reason": "it has fewer than 12 characters"}, "it has fewer than 12 characters"),
        ({"reason": {"a": 1}}, "This password does not meet the rules."),
        ({"detail": ""}, "This password does not meet the rules."),
        ({}, "This password does not meet the rules."),
    ],
)
def test_the_detail_says_what_is_known_of_this_occurrence(details: dict[str, Any], detail: str) -> None:
    assert json.loads(problems.problem(PasswordRefused(**details)).body)["detail"] == detail


def test_the_description_says_what_holds_in_words_that_stand_in_it(client: httpx.Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert "ClosedDeadline" not in json.dumps(schemas)
    assert "agency's name and rights" not in schemas["UserChanges"]["description"]
    assert "same agency" in schemas["UserChanges"]["description"]
    assert schemas["AddUser"]["properties"]["login"]["pattern"] == LOGIN_PATTERN


def test_a_wrong_current_password_is_declared_as_forbidden(client: httpx.Client) -> None:
    responses = client.get("/openapi.json").json()["paths"]["/v1/me/password"]["put"]["responses"]
    assert "current-password-wrong" in responses["403"]["description"]
    assert "session-forfeited" in responses["401"]["description"]
    assert "wrong-credentials" not in json.dumps(responses)


@pytest.mark.parametrize("address", ["/v1/customers?limit=0", "/v1/customers?limit=1&colour=red", "/v1/customers/canary"])
def test_a_wrong_address_is_explained(client: httpx.Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 422
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [("GET", "/nowhere", 404), ("GET", "/v1/customers/", 404), ("PUT", "/v1/me", 405), ("GET", "/metrics", 404)],
)
def test_strange_requests_are_problems_too(client: httpx.Client, method: str, address: str, status: int) -> None:
    answer = client.request(method, address)
    assert answer.status_code == answer.json()["status"] == status
    assert (status == 405) == ("allow" in answer.headers)


def test_a_busy_system_says_when_to_try_again(client: httpx.Client) -> None:
    assert int(add_agency(client, "raise ServiceUnavailable").headers["retry-after"]) >= 1


def test_a_command_without_an_answer_is_of_unknown_outcome(client: httpx.Client) -> None:
    answer = add_agency(client, "sleep 3")
    assert answer.status_code == 504
    assert answer.json()["type"] == "urn:qudao:problem:deadline-passed"


# --- bodies


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name": "a"', 400),
        (b"", 422),
        (b"[]", 422),
        (b'{"name": "a", "name": "b"}', 400),
        (b'{"name": NaN}', 400),
        (b'{"name": -Infinity}', 400),
        (b'{"name": 1e400}', 422),
        (b'{"name": ' + b"9" * 5000 + b"}", 400),
        (b'{"name": ' + b"9" * 1000 + b"}", 422),
        (b'{"name": ' + b"[" * 64 + b"]" * 64 + b"}", 400),
        (b'{"name": ' + b"[" * 63 + b"]" * 63 + b"}", 422),
        (b"[" * 9000, 400),
        (b'{"name": "' + b'\\"' * 4000, 400),
        (b'{"name": "\xff"}', 400),
        (b"\xef\xbb\xbf" + b'{"name": "a"}', 400),
        ('{"name": "a"}'.encode("utf-16"), 400),
        (b'{"name": "\\ud800"}', 422),
        (b'{"name": "a", "\\ud800": 1}', 422),
        (b'{"name": "a\\u0000b"}', 422),
        (b'{"name": "' + b"[" * 100 + b'"}', 201),
    ],
)
def test_a_body_is_one_plain_json_value_or_refused(client: httpx.Client, body: bytes, status: int) -> None:
    answer = client.post("/v1/agencies", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert "NaN" not in answer.text or status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=gb2312"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ],
)
def test_only_json_is_read(client: httpx.Client, headers: dict[str, str]) -> None:
    assert client.post("/v1/agencies", content=b'{"name": "a"}', headers=headers).status_code == 415


# --- headers


@pytest.mark.parametrize("address", ["/healthz", "/v1/me", "/nowhere", "/v1/customers?limit=0"])
def test_every_answer_carries_the_security_headers(client: httpx.Client, address: str) -> None:
    headers = client.get(address).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers
    assert "strict-transport-security" not in headers


def test_over_tls_browsers_are_told_to_stay_there(client: httpx.Client) -> None:
    assert "max-age" in client.get("/healthz", headers={"X-Forwarded-Proto": "https"}).headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("given", "is_kept"), [("my-request.1", True), ("short", False), ("with space", False), ("x" * 65, False)]
)
def test_a_fitting_request_id_is_kept_and_any_other_replaced(client: httpx.Client, given: str, is_kept: bool) -> None:
    answered = client.get("/healthz", headers={"X-Request-Id": given}).headers["x-request-id"]
    assert (answered == given) == is_kept
    assert 8 <= len(answered) <= 64


def test_one_request_id_goes_all_the_way(gateway: Gateway, client: httpx.Client) -> None:
    seen = seen_by_service(add_agency(client, "seen", X_Request_Id="trace-me-12"))
    assert seen["headers"]["nameko.request_id"] == "trace-me-12"
    wait_until(lambda: gateway.log_lines(request_id="trace-me-12"))  # written when the answer is on its way
    (line,) = gateway.log_lines(request_id="trace-me-12")
    assert (line["method"], line["route"], line["status"], line["user_id"]) == ("POST", "/v1/agencies", 201, str(USER))


def test_the_log_carries_no_token_and_no_query(gateway: Gateway, client: httpx.Client) -> None:
    client.get("/v1/customers", params={"cursor": "canary"}, headers={"X-Request-Id": "look-here-1"})
    wait_until(lambda: gateway.log_lines(request_id="look-here-1"))
    assert "canary" not in gateway.log
    assert client.headers["authorization"].split()[1] not in gateway.log


# --- commands


def test_the_clients_key_becomes_the_commands_id(client: httpx.Client) -> None:
    assert seen_by_service(add_agency(client, "seen", Idempotency_Key="mine"))["headers"]["nameko.command_id"] == "mine"


def test_without_a_key_each_command_has_an_id_of_its_own(client: httpx.Client) -> None:
    first, second = (seen_by_service(add_agency(client, "seen"))["headers"]["nameko.command_id"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize("key", ["", "two words", "x" * 201, "ключ".encode()])
def test_a_strange_key_is_refused(client: httpx.Client, key: str | bytes) -> None:
    answer = client.post("/v1/agencies", json={"name": "a"}, headers=[("Idempotency-Key", key)])  # type: ignore[list-item]
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["in"] == "header"


def test_a_question_carries_no_command(client: httpx.Client) -> None:
    headers = json.loads(client.get("/v1/me/day").json()["time_zone"])["headers"]
    assert "nameko.passport" in headers
    assert "nameko.command_id" not in headers


def test_the_deadline_is_exact(client: httpx.Client) -> None:
    headers = seen_by_service(add_agency(client, "seen"))["headers"]
    assert 0 < float(headers["nameko.deadline"]) - time.time() <= 2


def test_a_one_time_code_is_the_same_for_the_same_command_and_no_other(client: httpx.Client) -> None:
    def invite(user: UUID, key: str) -> str:
        return str(client.post(f"/v1/users/{user}/one-time-code", headers={"Idempotency-Key": key}).json()["code"])

    code = invite(USER, "a")
    assert code == invite(USER, "a")
    assert len({code, invite(USER, "b"), invite(UUID(int=99), "a")}) == 3
    assert len(code.replace("-", "")) == 20


def test_identity_sees_only_the_digest_of_a_new_token(client: httpx.Client) -> None:
    """The stand-in tells the digest that it saw as the session's id."""
    opened = client.post("/v1/sessions", json={"login": "li", "password": "right"}).json()
    assert len(opened["token"]) == 43
    assert opened["session"]["id"] == str(UUID(digest_of(opened["token"])[:32]))


# --- versions


def test_a_customer_is_shown_with_its_version_and_not_sent_twice(client: httpx.Client) -> None:
    tag = client.get(CUSTOMER_ADDRESS).headers["etag"]
    assert tag == '"3"'
    again = client.get(CUSTOMER_ADDRESS, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(CUSTOMER_ADDRESS, headers={"If-None-Match": '"2"'}).status_code == 200


def test_a_change_names_what_was_read(client: httpx.Client) -> None:
    answer = client.patch(CUSTOMER_ADDRESS, json={"city": "上海", "phone": None}, headers={"If-Match": '"3"'})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"4"')


def test_what_is_absent_from_a_change_stays_absent(client: httpx.Client) -> None:
    answer = client.patch(CUSTOMER_ADDRESS, json={"phone": None}, headers={"If-Match": '"3"'})
    assert json.loads(answer.json()["city"]).keys() == {"customer_id", "expected_version", "phone"}


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ([], 428),
        (['"2"'], 412),
        (['W/"3"'], 400),
        (["3"], 400),
        (["*"], 400),
        (['"0"'], 400),
        (['"3", "4"'], 400),
        (['"3"', '"4"'], 400),
    ],
)
def test_a_change_without_one_strong_tag_is_refused(client: httpx.Client, tags: list[str], status: int) -> None:
    answer = client.patch(CUSTOMER_ADDRESS, json={}, headers=[("If-Match", tag) for tag in tags])
    assert answer.status_code == answer.json()["status"] == status


# --- customers


def test_every_outcome_of_an_entry_is_told_apart(client: httpx.Client) -> None:
    names = ("new", "mine", "held", "pooled", "near")
    created, bound, refused, claimable, near = (client.post("/v1/customers", json={"name": name}) for name in names)
    assert (created.status_code, created.headers["location"], created.headers["etag"]) == (201, CUSTOMER_ADDRESS, '"1"')
    assert (bound.status_code, bound.json()["outcome"]) == (200, "bound_to_yours")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:qudao:problem:customer-refused")
    assert (refused.json()["verdict"]["ask"], refused.json()["detail"]) == (["Han Mei"], "A colleague holds this customer.")
    assert (claimable.status_code, claimable.json()["type"]) == (409, "urn:qudao:problem:customer-claimable")
    assert (near.status_code, near.json()["type"]) == (409, "urn:qudao:problem:confirmation-needed")


# --- pages


def test_pages_are_linked_to_their_end(client: httpx.Client) -> None:
    found, address = [], "/v1/agencies?limit=2"
    while address:
        page = client.get(address)
        found += [item["name"] for item in page.json()["items"]]
        assert ("link" in page.headers) == (page.json()["next_cursor"] is not None)
        address = page.links.get("next", {}).get("url", "")
    assert found == ["0", "1", "2", "3", "4"]


# --- description, health, figures


WITHOUT_KEY = (
    "/v1/member-webhooks/{source_id}",
    "/v1/sessions",
    "/v1/captchas",
    "/v1/collision-checks",
    "/v1/collision-checks/as-you-type",
    "/v1/collision-rules/preview",
)
"""The answers of the first two are never the same; the others change nothing."""


def test_the_description_is_complete(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (path, method)
            assert "500" in operation["responses"], (path, method)
            problems = [answer for status, answer in operation["responses"].items() if status >= "400"]
            assert all(set(problem["content"]) == {"application/problem+json"} for problem in problems), (path, method)
            if method != "get" and path not in WITHOUT_KEY:
                assert "Idempotency-Key" in {parameter["name"] for parameter in operation["parameters"]}, (path, method)


def test_the_docs_come_from_here_alone(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert "http" not in page.text
    assert "'unsafe" not in page.headers["content-security-policy"]
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "favicon-32x32.png"):
        assert client.get(f"/docs/{asset}").status_code == 200


def test_figures_are_for_operators_only(gateway: Gateway, client: httpx.Client) -> None:
    client.get(CUSTOMER_ADDRESS)
    figures = httpx.get(f"http://127.0.0.1:{gateway.health_port}/metrics").text
    assert 'qudao_http_requests_total{method="GET",route="/v1/customers/{customer_id}",status="200"}' in figures
    assert 'qudao_gateway_rpc_calls_total{operation="customers.show_customer",outcome="ok"}' in figures
