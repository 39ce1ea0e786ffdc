"""Rounds in which hubfs and its yardsticks take turns, and what is made of their figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

OURS = "hubfs"

# What one round of one contender found, by the measure's name.
Samples = dict[str, float]

# Called once a round with the size of the work.
Contender = Callable[[int], Samples]


@dataclass(frozen=True)
class Goal:
    """A figure of hubfs, and what it should be: a limit of its own, or a share of a yardstick's.

    A measure without a limit is shown and not judged.
    """

    measure: str
    unit: str
    against: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    # Whether the worst round is judged: counts and peaks have no unlucky ones.
    is_worst: bool = False
    # Why the goal cannot be reached here, as a profile has shown: it is not judged then.
    why: str | None = None

    @property
    def text(self) -> str:
        """The goal in words for the table; empty when there is none."""
        of = f" x {self.against}" if self.against else f" {self.unit}"
        if self.at_least is not None:
            return f">= {self.at_least:g}{of}"
        return "" if self.at_most is None else f"<= {self.at_most:g}{of}"

    def is_met(self, value: float) -> bool | None:
        if self.why is not None:
            return None
        if self.at_least is not None:
            return value >= self.at_least
        return None if self.at_most is None else value <= self.at_most


@dataclass(frozen=True)
class Row:
    """One row of the benchmark: who runs, with how much, and what is expected."""

    name: str
    title: str
    size: int
    quick_size: int
    contenders: dict[str, Contender]
    goals: list[Goal]
    # Whose figures are what the machine and the link can give.
    limit: str | None = None
    # Counts do not spread: once is enough.
    is_count: bool = False
    # How often all take turns in a round: more than once where a turn is short and luck has much of it.
    turn_count: int = 1
    # However many rounds are asked for: where a round takes minutes, and its luck is small.
    rounds_max: int | None = None

    def rounds(self, asked: int) -> int:
        if self.is_count:
            return 1
        return asked if self.rounds_max is None else min(asked, self.rounds_max)


@dataclass
class Figures:
    """Everything measured of one row: for each contender and measure a sample a round."""

    row: Row
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, contender: str, samples: Samples) -> None:
        for measure, value in samples.items():
            self.samples.setdefault(contender, {}).setdefault(measure, []).append(value)

    def of(self, contender: str, measure: str) -> list[float]:
        return self.samples.get(contender, {}).get(measure, [])

    def ratio(self, goal: Goal) -> float | None:
        """The median of the rounds' own ratios: what disturbs a round disturbs both of it."""
        if goal.against is None or not self.of(goal.against, goal.measure):
            return None
        pairs = zip(self.of(OURS, goal.measure), self.of(goal.against, goal.measure))
        return statistics.median(ours / theirs for ours, theirs in pairs)


def run(
    row: Row, rounds: int, *, beside: set[str], is_quick: bool, note: Callable[[str], None]
) -> Figures:
    """Lets the contenders of a row take turns, after one small round that does not count.

    `beside`: who runs beside hubfs; all of them unless somebody is in a hurry.
    """
    figures = Figures(row)
    size = row.quick_size if is_quick else row.size
    contenders = {
        name: each for name, each in row.contenders.items() if name == OURS or name in beside
    }
    if not row.is_count:
        note("  warm-up")
        for contender in contenders.values():
            contender(max(1, row.quick_size // 4))
    for number in range(row.rounds(rounds) * row.turn_count):
        for name in rotated(list(contenders), number):
            note(f"  round {number // row.turn_count + 1}: {name}")
            figures.add(name, contenders[name](size))
    return figures


def rotated(names: list[str], by: int) -> list[str]:
    """Each is the first in one of the rounds: who is, finds the machine as nobody else does."""
    by %= len(names)
    return names[by:] + names[:by]
