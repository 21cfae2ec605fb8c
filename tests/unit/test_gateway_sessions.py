"""From token to passport: how many questions identity hears, and how soon a revoked session is out."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import uvloop

from gateway.coalescing import Coalescing
from gateway.tokens import digest_of
from tests.unit.gateway_stand import Gateway, Stand, end, running_stand, wait_until


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with running_stand(tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture(scope="module")
def gateway(stand: Stand) -> Iterator[Gateway]:
    with stand.gateway(rpc_timeout=1) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.client(secrets.token_urlsafe(32)) as client:
        yield client


def questions(client: httpx.Client) -> int:
    """How often identity was asked for any session so far; the profile of the stand-in tells."""
    return int(client.get("/v1/me").json()["display_name"])


def test_many_requests_of_one_token_at_once_make_one_question(client: httpx.Client, gateway: Gateway) -> None:
    with gateway.client(secrets.token_urlsafe(32)) as other:
        before = questions(other)
    with ThreadPoolExecutor(20) as threads:
        answers = [answer.result() for answer in [threads.submit(client.get, "/v1/me") for _ in range(20)]]
    assert {answer.status_code for answer in answers} == {200}
    assert int(answers[-1].json()["display_name"]) - before <= 2  # a second one only if the twenty took longer than the cache


def test_a_passport_is_asked_for_anew_after_half_a_second(client: httpx.Client) -> None:
    before = questions(client)
    wait_until(lambda: questions(client) > before, 2)


def test_a_revoked_session_is_out_within_a_second(client: httpx.Client, gateway: Gateway) -> None:
    token = client.headers["authorization"].split()[1]
    assert client.get("/v1/me").status_code == 200
    with gateway.client(secrets.token_urlsafe(32)) as other:
        other.post("/v1/agencies", json={"name": f"revoke {digest_of(token)}"})
    revoked = time.monotonic()
    wait_until(lambda: client.get("/v1/me").status_code == 401, 2)
    assert time.monotonic() - revoked < 1


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Basic bGk6cmlnaHQ=", "Bearer short", "Bearer " + "t" * 44, "Bearer " + "!" * 43]
)
def test_what_is_no_token_is_refused_without_a_question(gateway: Gateway, client: httpx.Client, header: str) -> None:
    answer = httpx.get(f"{gateway.base}/v1/me", headers={"Authorization": header}, verify=False)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_who_is_not_known_learns_nothing_about_his_body(gateway: Gateway) -> None:
    assert httpx.post(f"{gateway.base}/v1/agencies", json={"colour": 1}, verify=False).status_code == 401


def test_after_logging_out_the_gateway_asks_again_at_once(client: httpx.Client) -> None:
    before = questions(client)
    assert client.delete("/v1/sessions/current").status_code == 204
    assert questions(client) > before


def test_without_identity_nobody_is_let_in(stand: Stand) -> None:
    """Last: it takes the stand-ins away and brings new ones."""
    with stand.gateway(rpc_timeout=1) as gateway, gateway.client(secrets.token_urlsafe(32)) as client:
        assert client.get("/v1/me").status_code == 200
        end(stand.services)
        time.sleep(0.5)  # the age up to which a passport is good
        try:
            answers = [client.get("/v1/me") for _ in range(3)]
            assert {answer.status_code for answer in answers} == {503}
            assert all("retry-after" in answer.headers for answer in answers)
        finally:
            stand.services = stand.start_services()
        wait_until(lambda: client.get("/v1/me").status_code == 200)


# --- the cache itself


class Question:
    """Counts how often it is asked; answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        if number == 1:
            raise LookupError
        return number


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_a_failure_is_told_to_all_who_wait_and_to_nobody_after_them() -> None:
    async def scenario() -> None:
        question, cache = Question(), Coalescing[int](60)
        waiting = [asyncio.create_task(cache.get("a", question)) for _ in range(5)]
        await asyncio.sleep(0)
        question.may_answer.set()
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in told} == {LookupError}
        assert await cache.get("a", question) == 2

    run(scenario)


def test_who_goes_away_leaves_the_answer_to_the_others() -> None:
    async def scenario() -> None:
        question, cache = Question(), Coalescing[int](60)
        question.asked = 1
        first, second = (asyncio.create_task(cache.get("a", question)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        question.may_answer.set()
        assert await second == 2

    run(scenario)


def test_an_answer_that_took_long_is_old_when_it_comes() -> None:
    async def scenario() -> None:
        question, cache = Question(), Coalescing[int](0.05)
        question.asked = 1
        slow = asyncio.create_task(cache.get("a", question))
        await asyncio.sleep(0.06)
        fresh = asyncio.create_task(cache.get("a", question))
        await asyncio.sleep(0)
        question.may_answer.set()
        assert (await slow, await fresh) == (2, 3)

    run(scenario)


def test_the_cache_is_bounded() -> None:
    async def scenario() -> None:
        question, cache = Question(), Coalescing[int](60, size=2)
        question.asked = 1
        question.may_answer.set()
        for key in "abc":
            await cache.get(key, question)
        assert await cache.get("c", question) == 4
        assert await cache.get("a", question) == 5

    run(scenario)
