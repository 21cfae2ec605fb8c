"""The figures for people, as Markdown that bench/README.md takes as it stands."""

from typing import Any


def table(found: dict[str, Any]) -> str:
    parts = lines_table(found["lines"]), ratio_table(found["ratios"]), events_table(found["events"]), where(found)
    return "\n\n".join(("", *parts))


def lines_table(lines: dict[str, Any]) -> str:
    """Processor time is that of one request, by process, at the largest number of clients."""
    counts = list(next(iter(lines.values()))["clients"])
    heads = [f"{count} clients: /s, p50, p99 ms" for count in counts] + [f"processor ms per request at {counts[-1]}"]
    rows = []
    for line in lines.values():
        each = line["clients"]
        figures = [f"{f['requests_per_second']:,.0f} · {f['p50_ms']:g} · {f['p99_ms']:g}" for f in each.values()]
        spent = ", ".join(f"{kind} {ms:.2f}" for kind, ms in each[counts[-1]]["processor_ms"].items() if ms >= 0.05)
        rows.append([line["what"], *figures, spent])
    return markdown(["line", *heads], rows)


def ratio_table(ratios: dict[str, Any]) -> str:
    names = {"read": "(c) by (b)", "read_one_session": "(c), one session, by (b)", "echo": "(a) by (b)"}
    counts = list(ratios["read"])
    rows = [
        [name, *(f"{each['median']:.0%} ({each['min']:.0%} to {each['max']:.0%})" for each in ratios[key].values())]
        for key, name in names.items()
    ]
    return markdown(["ratio: median (least to most)", *(f"{count} clients" for count in counts)], rows)


def events_table(events: dict[str, Any]) -> str:
    pace = "as asked" if events["is_steady"] else "the most that it gave"
    row = [
        f"{events['entered_per_second']:g}/s ({pace})",
        f"{events['p50_ms']:g}",
        f"{events['p99_ms']:g}",
        f"{events['max_ms']:g}",
        str(events["events"]),
    ]
    return markdown(["(e) commit → effect, entries", "p50 ms", "p99 ms", "longest ms", "events"], [row])


def where(found: dict[str, Any]) -> str:
    on, versions = found["machine"], found["versions"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "broker")
    return (
        f"{on['cores']} cores of {on['processor']}, {on['memory_gb']:g} GB, {on['system']}, load before {on['load_before']:g}; "
        f"broker {versions['broker']}; {told}; commit {found['commit'] or 'unknown'}."
    )


def markdown(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
