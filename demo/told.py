"""Answers in one line, as the transcript shows and compares them."""

from collections.abc import Mapping
from typing import Any

from demo.api import Answer


def problem(answer: Answer) -> str:
    return f"{answer.status} {answer.slug}".strip()


def done(answer: Answer, status: int, words: str) -> str:
    return words if answer.status == status else problem(answer)


def verdict(found: Mapping[str, Any]) -> str:
    """`refused (held_by_colleague), ask 李娜`"""
    told = str(found["verdict"])
    told += f" ({found['reason']})" if found.get("reason") else ""
    return told + (f", ask {'、'.join(found['ask'])}" if found.get("ask") else "")


def check(answer: Answer) -> str:
    """`name 共有 1 个客户: refused (held_by_colleague), ask 李娜`"""
    if answer.status != 200:
        return problem(answer)
    return f"{hits(answer)}: {verdict(answer['verdict'])}"


def hits(answer: Answer) -> str:
    if answer.status != 200:
        return problem(answer)
    fields = answer["fields"].items()
    return ", ".join(f"{field} 共有 {count['hits']} 个客户" for field, count in fields if count)


def entry(answer: Answer) -> str:
    """The outcome of an entry, and with a refusal why and whom to ask."""
    body = answer.body if isinstance(answer.body, dict) else {}
    outcome = body.get("outcome")
    if outcome == "refused" and body.get("verdict"):
        return verdict(body["verdict"])
    return str(outcome or problem(answer))


def reason(answer: Answer) -> str:
    """Outcome and reason alone."""
    return entry(answer).partition(", ask ")[0]


def places(answer: Answer) -> str:
    """`mine (same)`: where each hit is held and what that does to an entry."""
    return ", ".join(f"{hit['place']} ({hit['effect']})" for hit in answer["hits"]) or "nothing"


def effectiveness(answer: Answer) -> str:
    if answer.status != 201:
        return problem(answer)
    return "effective" if answer["is_effective"] else "not effective"


def figure(found: Mapping[str, Any]) -> str:
    """`3 of 130 (ok)`"""
    bound = found.get("limit") if found.get("limit") is not None else found.get("minimum")
    return f"{found['value']} of {bound} ({found['verdict']})"


def count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
