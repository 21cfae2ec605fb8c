"""Turns that end the one before, and work that ends with its client."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from starlette.requests import Request
from starlette.types import Message

from gateway.disconnects import ClientGone, while_heard
from gateway.superseding import Superseded, Superseding


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


class Question:
    """Answered when the test says so; knows whether it was given up."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask(self, turns: Superseding, of: str = "a") -> str:
        async with turns.turn(of):
            return await self.answer


def begin(turns: Superseding, number: int, of: str = "a") -> tuple[list[Question], list[asyncio.Task[str]]]:
    questions = [Question() for _ in range(number)]
    return questions, [asyncio.create_task(question.ask(turns, of)) for question in questions]


async def pass_by() -> None:
    """Whatever can go on goes on."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_newest_is_answered_and_the_others_are_told_at_once() -> None:
    async def scenario() -> None:
        turns = Superseding()
        questions, tasks = begin(turns, 5)
        await pass_by()
        assert [task.done() for task in tasks] == [True] * 4 + [False]
        assert all(isinstance(task.exception(), Superseded) for task in tasks[:4])
        assert [question.answer.cancelled() for question in questions] == [True] * 4 + [False]
        questions[4].answer.set_result("hits")
        assert await tasks[4] == "hits"
        assert len(turns) == 0

    run(scenario)


def test_other_inputs_are_left_alone() -> None:
    async def scenario() -> None:
        turns = Superseding()
        (first,), tasks = begin(turns, 1, "a")
        (second,), others = begin(turns, 1, "b")
        await pass_by()
        first.answer.set_result("one")
        second.answer.set_result("two")
        assert await asyncio.gather(*tasks, *others) == ["one", "two"]

    run(scenario)


def test_what_was_answered_before_the_next_began_stays_answered() -> None:
    async def scenario() -> None:
        turns = Superseding()
        (first,), (task,) = begin(turns, 1)
        await pass_by()
        first.answer.set_result("hits")
        await pass_by()
        (second,), (next_task,) = begin(turns, 1)
        await pass_by()
        second.answer.set_result("more")
        assert (await task, await next_task) == ("hits", "more")

    run(scenario)


def test_a_failure_of_its_own_is_not_taken_for_being_superseded() -> None:
    async def scenario() -> None:
        turns = Superseding()
        with pytest.raises(TimeoutError):
            async with turns.turn("a"):
                raise TimeoutError
        assert len(turns) == 0

    run(scenario)


def test_who_is_cancelled_from_outside_stays_cancelled() -> None:
    async def scenario() -> None:
        turns = Superseding()
        _, (task,) = begin(turns, 1)
        await pass_by()
        task.cancel()
        await pass_by()
        assert task.cancelled()
        assert len(turns) == 0

    run(scenario)


# --- clients that go


class Line:
    """The way from a client, as a server gives it to its application."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    @property
    def request(self) -> Request:
        return Request({"type": "http"}, self.messages.get)

    def hang_up(self) -> None:
        self.messages.put_nowait({"type": "http.disconnect"})


def test_work_ends_when_its_client_goes() -> None:
    async def scenario() -> None:
        line, question = Line(), Question()

        async def work() -> str:
            async with while_heard(line.request):
                return await question.answer

        task = asyncio.create_task(work())
        line.messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        await pass_by()
        assert not task.done()
        line.hang_up()
        await pass_by()
        assert isinstance(task.exception(), ClientGone)
        assert question.answer.cancelled()

    run(scenario)


def test_who_stays_is_answered_and_watched_no_longer() -> None:
    async def scenario() -> None:
        line = Line()
        async with while_heard(line.request):
            await pass_by()
        line.hang_up()
        await pass_by()
        assert line.messages.qsize() == 1

    run(scenario)


def test_one_who_goes_while_his_next_question_begins_is_gone() -> None:
    async def scenario() -> None:
        turns, line, question = Superseding(), Line(), Question()

        async def work() -> str:
            async with while_heard(line.request):
                return await question.ask(turns)

        task = asyncio.create_task(work())
        await pass_by()
        line.hang_up()
        _, (newer,) = begin(turns, 1)
        await pass_by()
        assert isinstance(task.exception(), ClientGone | Superseded)
        assert task.cancelling() == 0
        newer.cancel()

    run(scenario)
