"""The command behind `scripts/bench`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from . import measuring, reporting
from .scene import Scene
from .write_rows import rows

NAMES = ["small-files", "small-objects", "large-file", "edit-in-place", "lfs-upload"]


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
        description="Builds hubfs for release and measures it beside its yardsticks on a local Hub, "
        "in turns, on the disk that TMPDIR is on (8 GB free are needed). docs/PERFORMANCE.md "
        "explains the rows. Ends with 1 when a goal is missed.",
    )
    parser.add_argument(
        "--only", action="append", choices=NAMES, metavar="ROW",
        help=f"this row alone; may be repeated ({', '.join(NAMES)})",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="of each row (default: 5)")
    parser.add_argument(
        "--quick", action="store_true", help="little work and 2 rounds; goals are not judged"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also a JSON object a line")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if options.quick:
        options.rounds = min(options.rounds, 2)
    return options


def measure(options: argparse.Namespace, folder: Path) -> int:
    scene = Scene(folder)
    try:
        figures = []
        for row in rows(scene):
            if options.only and row.name not in options.only:
                continue
            size = row.quick_size if options.quick else row.size
            print(f"{row.name}: {row.title.format(size)}", flush=True)
            figures.append(
                measuring.run(row, options.rounds, is_quick=options.quick, note=progress)
            )
    finally:
        scene.close()
    records = reporting.records(figures, judges=not options.quick)
    if options.json:
        options.json.write_text(reporting.json_lines(records))
    print(f"\nmedians of {options.rounds} rounds (least-most), {os.cpu_count()} processors\n")
    print(reporting.table(records))
    return 1 if any(record["goal_met"] is False for record in records) else 0


def progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
