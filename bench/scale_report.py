"""The figures of `bench scale` for people, each beside its budget; as Markdown that bench/README.md takes as it stands."""

from collections.abc import Callable
from typing import Any

from bench.report import markdown, where

AT_MOST: Callable[[float, float], bool] = lambda found, budget: found <= budget  # noqa: E731
AT_LEAST: Callable[[float, float], bool] = lambda found, budget: found >= budget  # noqa: E731
LARGE = 5_000_000
"""From so many companies on a check may take what it may at ten million."""


def table(found: dict[str, Any]) -> str:
    parts = (figures(found), kinds(found["check"]), shares(found["new"]), others(found), on_disk(found["sizes"]), where(found))
    return "\n\n".join(("", *parts))


def judged(found: float, unit: str, budget: float, holds: Callable[[float, float], bool] = AT_MOST) -> str:
    sign = "<=" if holds is AT_MOST else ">="
    return f"{found:,.4g} {unit} ({'reached' if holds(found, budget) else 'missed'}: {sign} {budget:g})"


def figures(found: dict[str, Any]) -> str:
    check, load, bulk, memory = found["check"], found["load"], found["bulk"], found["memory"]
    is_large = found["size"] >= LARGE
    rows = [
        ["load without check", "", "", f"{load['rows_per_second']:,.0f} rows/s"],
        [
            "check in the service",
            f"{check['p50_ms']:g} ms" if is_large else judged(check["p50_ms"], "ms", 3),
            judged(check["p99_ms"], "ms", 25 if is_large else 10),
            f"{check['per_second']:,.0f}/s",
        ],
        *over_http("check", found["http_check"], 10, 30, 300),
        *over_http("as-you-type check", found["http_typing"], None, 50, None),
        *over_http("entry", found["http_entry"], 25, 80, 100),
        ["bulk load with check", "", "", judged(bulk["rows_per_second"], "rows/s", 500, AT_LEAST)],
    ]
    heads = [f"{found['size']:,} companies, {found['source']}", "p50", "p99", "rate"]
    told = markdown(heads, rows)
    if memory:
        told += f"\n\nMemory of the customers process: PSS {judged(memory['pss_mb'], 'MB', 300)}, RSS {memory['rss_mb']:g} MB."
    told += f"\nBulk load: {counted(bulk['outcomes'])} in all, and the first batch was not timed."
    spent = ", ".join(f"{kind} {ms:.2f}" for kind, ms in bulk["processor_ms"].items())
    return f"{told} Processor ms of a row: {spent}."


def over_http(what: str, by_clients: dict[str, Any], p50: float | None, p99: float | None, rate: float | None) -> list[list[str]]:
    """A budget of time is one client's, of throughput that of several."""
    rows = []
    for clients, f in by_clients.items():
        is_one = clients == "1"
        rows.append(
            [
                f"{what} over HTTP, {clients} client{'' if is_one else 's'}",
                judged(f["p50_ms"], "ms", p50) if p50 and is_one else f"{f['p50_ms']:g} ms",
                judged(f["p99_ms"], "ms", p99) if p99 and is_one else f"{f['p99_ms']:g} ms",
                f"{f['requests_per_second']:,.0f}/s"
                if not rate or is_one
                else judged(f["requests_per_second"], "/s", rate, AT_LEAST),
            ]
        )
    return rows


def kinds(check: dict[str, Any]) -> str:
    rows = []
    for kind, f in sorted(check["kinds"].items()):
        recall = "" if f["recall"] is None else f"{f['recall']:.1%}"
        rows.append([kind, f"{f['p50_ms']:g}", f"{f['p99_ms']:g}", f"{f['max_ms']:g}", recall])
    told = markdown(["check in the service", "p50 ms", "p99 ms", "longest ms", "found among twenty"], rows)
    return f"{told}\n\nProcessor time of a check, without the database's share: {check['own_processor_ms']:g} ms."


def shares(new: dict[str, Any]) -> str:
    asked = {"name": "name and place", "name_phone_fax": "with phone and fax, where they have them"}
    rows = []
    for key, what in asked.items():
        share = new[key]
        review = judged(100 * share["review"], "%", 15)
        rows.append([f"{share['names']:,} new names, {what}", f"{share['free']:.1%}", review, f"{share['refused']:.1%}"])
    return markdown(["", "free", "for review", "refused"], rows)


def others(found: dict[str, Any]) -> str:
    def row(what: str, f: dict[str, Any]) -> list[str]:
        return [what, f"{f['p50_ms']:,.1f}", f"{f['p99_ms']:,.1f}", f"{f['recall']:.1%}", str(f["queries"])]

    trigrams, alone = found["others"]["pg_trgm"], found["others"]["rapidfuzz"]
    rows = [row("pg_trgm on raw names", trigrams), *(row(f"rapidfuzz over all, {name}", f) for name, f in alone.items())]
    return markdown(["without an engine", "p50 ms", "p99 ms", "found among twenty", "queries"], rows)


def on_disk(sizes: dict[str, Any]) -> str:
    rows = []
    large = {name: table for name, table in sizes["tables"].items() if table["bytes"] > 2**20}
    for name, table in large.items():
        indexes = ", ".join(f"{index} {megabytes(size)}" for index, size in table["indexes"].items() if size > 2**20)
        rows.append([name, megabytes(table["bytes"]), indexes])
    return markdown([f"on disk, {megabytes(sizes['total_bytes'])} MB", "table MB", "indexes MB"], rows)


def megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f}"


def counted(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items(), key=lambda item: -item[1]))
