"""Values of custom fields, judged by their kind."""

from typing import Any

import pytest

from services.customers.catalogue.domain import Field, problem_of

COLOURS = ("red", "green")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "印花"),
        ("text", "x" * 1_000),
        ("number", 0),
        ("number", -12.5),
        ("number", 999_999_999_999_999),
        ("date", "2024-02-29"),
        ("boolean", False),
        ("choice", "red"),
        ("choices", ["green", "red"]),
    ],
)
def test_what_a_field_takes(kind: Any, value: Any) -> None:
    assert problem_of(Field("f", kind, COLOURS), value) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", ""),
        ("text", "   "),
        ("text", 5),
        ("text", "a\0b"),
        ("text", "x" * 1_001),
        ("number", "5"),
        ("number", True),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", 10**15),
        ("date", "2023-02-29"),
        ("date", "2024-2-9"),
        ("date", "2024-02-29T00:00"),
        ("date", 20240229),
        ("boolean", 0),
        ("boolean", "true"),
        ("choice", "blue"),
        ("choice", ["red"]),
        ("choices", "red"),
        ("choices", []),
        ("choices", ["red", "red"]),
        ("choices", ["red", "blue"]),
        ("choices", [["red"]]),
    ],
)
def test_what_a_field_refuses(kind: Any, value: Any) -> None:
    assert problem_of(Field("f", kind, COLOURS), value)
