"""Makes a failing list of operations shorter."""

from __future__ import annotations

import time
from collections.abc import Callable


def shrink(
    operations: list[dict], fails: Callable[[list[dict]], bool], *, seconds: float
) -> list[dict]:
    """Leaves out ever smaller pieces as long as the rest still fails and there is time.

    `fails` plays a list from the start.
    """
    end = time.monotonic() + seconds
    piece = len(operations) // 2
    while piece >= 1:
        start = 0
        while start < len(operations):
            if time.monotonic() > end:
                return operations
            rest = operations[:start] + operations[start + piece :]
            if rest and fails(rest):
                operations = rest
            else:
                start += piece
        piece //= 2
    return operations
