"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable

from .measuring import OURS, Figures, Goal

HEADINGS = ["row", "measure", "hubfs", "yardstick", "ratio", "goal", "met"]


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
    ratio = figures.ratio(goal)
    judged = statistics.median(ours) if ratio is None else ratio
    # Counts and peaks have no lucky rounds.
    if ratio is None and goal.at_most is not None:
        judged = max(ours)
    return {
        "row": figures.row.name,
        "measure": goal.measure,
        "unit": goal.unit,
        "hubfs": statistics.median(ours),
        "peers": {name: statistics.median(values) for name, values in peers.items()},
        "ratio": ratio,
        "goal": goal.text or None,
        "goal_met": goal.is_met(judged) if judges else None,
        "spread": {
            name: [min(values), max(values)] for name, values in {OURS: ours, **peers}.items()
        },
        "rounds": len(ours),
    }


def json_lines(records: list[dict]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def table(records: list[dict]) -> str:
    lines = [HEADINGS]
    for record in records:
        unit, spread = record["unit"], record["spread"]
        lines.append([
            record["row"],
            record["measure"],
            figure(record["hubfs"], unit, spread[OURS]),
            ", ".join(
                f"{name} {figure(value, unit, spread[name])}"
                for name, value in record["peers"].items()
            ),
            "" if record["ratio"] is None else f"{record['ratio']:.2f}",
            record["goal"] or "",
            {True: "yes", False: "NO", None: ""}[record["goal_met"]],
        ])  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


def figure(value: float, unit: str, spread: list[float]) -> str:
    """`812 MB/s (790-830)`: the median, and the least and the most."""
    text = f"{number(value)} {unit}"
    if spread[0] == spread[1]:
        return text
    return f"{text} ({number(spread[0])}-{number(spread[1])})"


def number(value: float) -> str:
    if value == 0 or value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
