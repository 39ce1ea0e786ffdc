"""The figures as a table for people, as JSON for programs, and as a page that is kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

from .measuring import OURS, Figures, Goal

HEADINGS = ["row", "measure", "hubfs", "beside it", "ratio", "goal", "met"]


def records(all_figures: Iterable[Figures], *, judges: bool) -> list[dict]:
    """One record a goal.

    `judges`: False for sizes at which the goals do not hold; `goal_met` is None then.
    """
    return [
        record(figures, goal, judges=judges)
        for figures in all_figures
        for goal in figures.row.goals
    ]


def record(figures: Figures, goal: Goal, *, judges: bool) -> dict:
    ours = figures.of(OURS, goal.measure)
    peers = {
        name: measures[goal.measure]
        for name, measures in figures.samples.items()
        if name != OURS and goal.measure in measures and goal.against in (None, name)
    }
    limit = figures.of(figures.row.limit or "", goal.measure)
    ratio = figures.ratio(goal)
    judged = statistics.median(ours) if ratio is None else ratio
    if ratio is None and goal.is_worst:
        judged = max(ours)
    is_met, why = goal.is_met(judged), goal.why
    if goal.against is not None and ratio is None:
        # Whom it is to be compared with did not run.
        is_met = None
    if is_met is False and goal.against is None and limit:
        # What the yardstick does not reach, the machine or the link does not give.
        at_most = statistics.median(limit)
        if goal.is_met(at_most) is False:
            is_met, why = None, f"{figures.row.limit} has {number(at_most)} {goal.unit}".rstrip()
    return {
        "row": figures.row.name,
        "measure": goal.measure,
        "unit": goal.unit,
        "hubfs": statistics.median(ours),
        "peers": {name: statistics.median(values) for name, values in peers.items()},
        "limit": statistics.median(limit) if limit else None,
        "ratio": ratio,
        "goal": goal.text or None,
        "goal_met": is_met if judges else None,
        "why": why,
        "spread": {
            name: [min(values), max(values)] for name, values in {OURS: ours, **peers}.items()
        },
        "rounds": len(ours),
    }


def json_lines(records: list[dict]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def table(records: list[dict]) -> str:
    lines = [HEADINGS, *map(cells, records)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


def cells(record: dict) -> list[str]:
    unit, spread = record["unit"], record["spread"]
    return [
        record["row"],
        record["measure"],
        figure(record["hubfs"], unit, spread[OURS]),
        ", ".join(
            f"{name} {figure(value, unit, spread[name])}" for name, value in record["peers"].items()
        ),
        "" if record["ratio"] is None else f"{record['ratio']:.2f}",
        record["goal"] or "",
        record["why"] or {True: "yes", False: "NO", None: ""}[record["goal_met"]],
    ]


def figure(value: float, unit: str, spread: list[float]) -> str:
    """`812 MB/s (790-830)`: the median, and the least and the most."""
    text = f"{number(value)} {unit}".rstrip()
    if spread[0] == spread[1]:
        return text
    return f"{text} ({number(spread[0])}-{number(spread[1])})"


def number(value: float) -> str:
    if value == 0 or value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


# The page that is kept: a section a group, each from the last run that measured the group.

TITLE = "# Results of scripts/bench"
ABOUT = "Written by `scripts/bench`; docs/PERFORMANCE.md explains the rows. Medians (least-most)."


def keep(page: Path, group: str, records: list[dict]) -> None:
    """Replaces a group's section of the page."""
    sections = parse(page.read_text()) if page.exists() else {}
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    lines += ["| " + " | ".join(cells(record)) + " |" for record in records]
    sections[group] = f"{circumstances(records)}\n\n" + "\n".join(lines)
    page.parent.mkdir(exist_ok=True)
    text = "\n\n".join([TITLE, ABOUT, *(f"## {name}\n\n{body}" for name, body in sections.items())])
    page.write_text(text + "\n")


def parse(text: str) -> dict[str, str]:
    parts = text.split("\n## ")[1:]
    return {name: body.strip() for name, body in (part.split("\n", 1) for part in parts)}


def circumstances(records: list[dict]) -> str:
    """When, on what, and beside what else."""
    load = os.getloadavg()[1]
    rounds = max(record["rounds"] for record in records)
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    # The benchmark itself keeps about so many busy.
    mark = "Provisional, the machine had other work: " if load > 1.5 * (os.cpu_count() or 1) else ""
    return (
        f"{mark}{when}, {rounds} rounds, {os.cpu_count()} processors ({processor()}), Linux "
        f"{platform.release()}, load {load:.1f} (5 minutes)."
    )


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
