"""The collision check at every key stroke, as a client sees it."""

import json
import re
import secrets
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from tests.unit.gateway_stand import Gateway, Stand, running_stand, wait_until

ADDRESS = "/v1/collision-checks/as-you-type"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with running_stand(tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture(scope="module")
def gateway(stand: Stand) -> Iterator[Gateway]:
    """So patient that only what is tested ends a question; room for five in work."""
    with stand.gateway(rpc_timeout=60, typing_timeout=60, answer_target=60, max_pending_calls=20, typing_burst=1_000) as gateway:
        yield gateway


@pytest.fixture
def token() -> str:
    return secrets.token_urlsafe(32)


@pytest.fixture
def client(gateway: Gateway, token: str) -> Iterator[httpx.Client]:
    with gateway.client(token) as client:
        yield client
    wait_until(lambda: pending(gateway) == 0)


def typed(client: httpx.Client, name: str, typing_id: str | None = None) -> httpx.Response:
    return client.post(ADDRESS, json={"name": name}, headers={"Typing-Id": typing_id} if typing_id else {})


def problem_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:qudao:problem:")


def seen_by_service(answer: httpx.Response) -> dict[str, Any]:
    return json.loads(answer.json()["verdict"]["message"])  # type: ignore[no-any-return]


def figure(gateway: Gateway, name: str) -> float:
    figures = httpx.get(f"http://127.0.0.1:{gateway.health_port}/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", figures, re.MULTILINE)
    return float(found[1]) if found else 0


def pending(gateway: Gateway) -> float:
    """RPC calls whose answers the gateway waits for."""
    return figure(gateway, "qudao_gateway_rpc_pending")


@contextmanager
def in_work(gateway: Gateway, token: str, typing_id: str) -> Iterator[None]:
    """A question that is not answered, until its client goes away."""
    before, body = pending(gateway), b'{"name": "wait"}'
    head = f"POST {ADDRESS} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {token}\r\nTyping-Id: {typing_id}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(head.encode() + body)
        wait_until(lambda: pending(gateway) > before)
        yield


def test_what_is_typed_is_asked_under_a_deadline_that_is_near(stand: Stand, token: str) -> None:
    with stand.gateway() as gateway, gateway.client(token) as client:
        seen = seen_by_service(typed(client, "五环"))

    assert seen["message"] == {"name": "五环"}
    assert "nameko.command_id" not in seen["headers"]
    assert float(seen["headers"]["nameko.deadline"]) <= time.time() + 2


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "五", "phone": "0514-"}, {"phone": "0"}, {"credit_code": "9"}])
def test_what_is_not_complete_is_no_error(client: httpx.Client, body: dict[str, str]) -> None:
    assert client.post(ADDRESS, json=body).status_code == 200


def test_the_newer_question_is_answered_and_the_older_one_told_so(gateway: Gateway, client: httpx.Client) -> None:
    given_up = 'qudao_gateway_rpc_calls_total{operation="customers.suggest_collisions",outcome="given-up"}'
    before = figure(gateway, given_up)
    with ThreadPoolExecutor(1) as thread:
        older = thread.submit(typed, client, "wait")
        wait_until(lambda: pending(gateway) == 1)

        newer = typed(client, "五环")

        assert newer.status_code == 200
        assert problem_of(older.result()) == (409, "superseded")
    assert figure(gateway, given_up) == before + 1


def test_windows_are_told_apart(gateway: Gateway, client: httpx.Client, token: str) -> None:
    with in_work(gateway, token, "one"), in_work(gateway, token, "two"):
        assert typed(client, "五环", "three").status_code == 200
        assert typed(client, "五环").status_code == 200
        assert pending(gateway) == 2
        assert typed(client, "五环", "one").status_code == 200
        wait_until(lambda: pending(gateway) == 1)


def test_sessions_are_told_apart(gateway: Gateway, client: httpx.Client, token: str) -> None:
    with in_work(gateway, token, "one"), gateway.client(secrets.token_urlsafe(32)) as other:
        assert typed(other, "五环", "one").status_code == 200
        assert pending(gateway) == 1


def test_a_question_that_is_refused_ends_no_other(gateway: Gateway, client: httpx.Client, token: str) -> None:
    with in_work(gateway, token, "one"):
        wrong = client.post(ADDRESS, json={"colour": "red"}, headers={"Typing-Id": "one"})
        assert wrong.status_code == 422
        assert pending(gateway) == 1


def test_who_goes_away_gives_his_place_to_the_next(gateway: Gateway, client: httpx.Client, token: str) -> None:
    with ExitStack() as others:
        for number in range(4):
            others.enter_context(in_work(gateway, token, f"window-{number}"))
        with in_work(gateway, token, "goes"):
            assert problem_of(typed(client, "五环")) == (503, "service-unavailable")

        wait_until(lambda: pending(gateway) == 4)

        assert typed(client, "五环").status_code == 200
    wait_until(lambda: gateway.log_lines(status=499))
    assert "incident" not in gateway.log


def test_a_service_that_is_behind_is_not_waited_for(stand: Stand, token: str) -> None:
    with stand.gateway(typing_timeout=0.2) as gateway, gateway.client(token) as client:
        answer = typed(client, "wait")

    assert problem_of(answer) == (503, "service-unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_flood_is_refused_whatever_session_of_the_user_it_comes_from(stand: Stand, token: str) -> None:
    with stand.gateway(typing_per_second=0.01, typing_burst=3) as gateway, gateway.client(token) as client:
        assert [typed(client, "五环").status_code for _ in range(3)] == [200] * 3

        with gateway.client(secrets.token_urlsafe(32)) as other:
            refused = [typed(client, "五环"), typed(other, "五环"), client.post(ADDRESS, json={"colour": "red"})]

        assert {problem_of(answer) for answer in refused} == {(429, "too-many-requests")}
        assert all(int(answer.headers["retry-after"]) >= 90 for answer in refused)
        assert client.post("/v1/customers", json={"name": "new"}).status_code == 201


@pytest.mark.parametrize(("typing_id", "status"), [("a" * 64, 200), ("a" * 65, 422), ("a b", 422), ("window_1-b", 200)])
def test_a_window_is_named_by_few_plain_letters(client: httpx.Client, typing_id: str, status: int) -> None:
    assert typed(client, "五环", typing_id).status_code == status


def test_strangers_learn_nothing(gateway: Gateway) -> None:
    assert httpx.post(gateway.base + ADDRESS, json={"name": "五环"}).status_code == 401


def test_its_refusals_are_declared(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"][ADDRESS]["post"]
    assert "superseded" in operation["responses"]["409"]["description"]
    assert "too-many-requests" in operation["responses"]["429"]["description"]
    assert "Retry-After" in operation["responses"]["429"]["headers"]
    assert "Typing-Id" in {parameter["name"] for parameter in operation["parameters"]}
