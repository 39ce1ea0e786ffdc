"""The command behind `scripts/bench`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from . import (
    huge_rows,
    learned_rows,
    load_rows,
    measuring,
    memory_rows,
    meta_rows,
    random_rows,
    read_rows,
    reporting,
    restart_rows,
    small_rows,
    sparse_rows,
    write_rows,
    xet_huge_rows,
    xet_rows,
    xet_writing_rows,
)
from .library import Library
from .scene import Scene

GROUPS = {
    "read": read_rows.rows,
    "random": random_rows.rows,
    "sparse": sparse_rows.rows,
    "restart": restart_rows.rows,
    "small": small_rows.rows,
    "meta": meta_rows.rows,
    "load": load_rows.rows,
    "learned": learned_rows.rows,
    "memory": memory_rows.rows,
    "write": write_rows.rows,
    "xet": lambda *place: xet_rows.rows(*place) + xet_writing_rows.rows(*place),
    "huge": huge_rows.rows,
    "xet-huge": xet_huge_rows.rows,
}
# They take minutes.
NOT_BY_ITSELF = {"huge", "xet-huge"}
RESULTS = Path(__file__).resolve().parents[3] / "bench/RESULTS.md"


def main() -> int:
    options = parse()
    # As an exception, so that mounts and servers are taken down on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="hubfs-bench-"))
    try:
        return measure(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Builds hubfs for release and measures it beside its peers and yardsticks on a "
        "local Hub, in turns, on the disk that TMPDIR is on (8 GB free are needed). "
        "docs/PERFORMANCE.md explains the rows, bench/RESULTS.md keeps the last figures. Ends with "
        "1 when a goal is missed.",
    )
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP",
        help=f"what to measure: {', '.join(GROUPS)} (default: all but "
        f"{', '.join(NOT_BY_ITSELF)})",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", metavar="ROW", help="this row alone; may be repeated"
    )
    parser.add_argument(
        "--against", action="append", metavar="NAME", help="this peer alone; may be repeated"
    )
    parser.add_argument("--rounds", type=int, default=5, help="of each row (default: 5)")
    parser.add_argument(
        "--quick", action="store_true", help="little work and 2 rounds; goals are not judged"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also a JSON object a line; - prints nothing else"
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    if options.quick:
        options.rounds = min(options.rounds, 2)
    return options


def measure(options: argparse.Namespace, folder: Path) -> int:
    scene = Scene(folder)
    library = Library(scene)
    records = []
    try:
        for group in options.groups or [name for name in GROUPS if name not in NOT_BY_ITSELF]:
            found = measure_group(options, GROUPS[group](scene, library))
            # A part of a group, or little of it, is nothing to keep.
            if found and not (options.quick or options.only or options.against):
                reporting.keep(RESULTS, group, found)
            records += found
    finally:
        scene.close()
    report(options, records)
    return 1 if any(record["goal_met"] is False for record in records) else 0


def measure_group(options: argparse.Namespace, rows: list[measuring.Row]) -> list[dict]:
    figures = []
    for row in rows:
        if options.only and row.name not in options.only:
            continue
        size = row.quick_size if options.quick else row.size
        progress(f"{row.name}: {row.title.format(size)}")
        beside = set(options.against or row.contenders)
        figures.append(
            measuring.run(
                row, options.rounds, beside=beside, is_quick=options.quick, note=progress
            )
        )
    return reporting.records(figures, judges=not options.quick)


def report(options: argparse.Namespace, records: list[dict]) -> None:
    if options.json == Path("-"):
        print(reporting.json_lines(records), end="")
        return
    if options.json:
        options.json.write_text(reporting.json_lines(records))
    print(f"\nmedians of {options.rounds} rounds (least-most), {os.cpu_count()} processors\n")
    print(reporting.table(records))


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
