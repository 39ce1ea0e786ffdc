"""Runs the reference model for long: the command behind `scripts/soak`."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import localhub

from .comparison import Different
from .generator import Generator
from .shrinking import shrink
from .world import START, World

REPO = "lab/soak"
SHRINK_SECONDS = 300


def main() -> int:
    options = parse()
    folder = Path(tempfile.mkdtemp(prefix="hubfs-soak-"))
    hub = localhub.LocalHub(folder / "hub")
    try:
        import_start(hub, folder / "start")
        hub.start()
        if options.replay:
            return replay(options, hub, folder)
        return soak(options, hub, folder)
    finally:
        hub.stop()
        shutil.rmtree(folder, ignore_errors=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Random edits of a mount and of a plain folder, side by side, with remounts "
        "and kills between. Ends at the first difference, keeps the operations that lead to it, "
        "and tries to leave out those that do not matter.",
    )
    parser.add_argument("--seed", type=int, help="of the first round (default: a random one)")
    parser.add_argument("--steps", type=int, default=3000, help="of each round (default: 3000)")
    parser.add_argument(
        "--minutes", type=float, default=10, help="begin no new round after this time (default: 10)"
    )
    parser.add_argument("--rounds", type=int, help="at most so many (default: as time allows)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="play a kept case instead")
    parser.add_argument(
        "--keep", type=Path, default=Path("soak-failures"), metavar="FOLDER",
        help="where failing cases go (default: soak-failures)",
    )  # fmt: skip
    parser.add_argument("--no-shrink", action="store_true", help="keep a failing case as it is")
    return parser.parse_args()


def import_start(hub: localhub.LocalHub, folder: Path) -> None:
    for name, data in START.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    hub.run("import", "--root", hub.root, REPO, folder)


def soak(options: argparse.Namespace, hub: localhub.LocalHub, folder: Path) -> int:
    end = time.monotonic() + options.minutes * 60
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    steps = rounds = 0
    while rounds == 0 or time.monotonic() < end:
        print(f"seed {seed}: {options.steps} steps", flush=True)
        log = folder / f"seed-{seed}.jsonl"
        world = World(folder / f"round-{seed}", hub.address.endpoint, REPO, log)
        try:
            with world.running():
                world.play(world.generate(Generator(seed), options.steps))
        except (Different, RuntimeError) as failure:
            print(f"seed {seed} FAILED: {failure}", flush=True)
            keep(options, hub, folder, log, world)
            return 1
        shutil.rmtree(world.mount.folder)
        log.unlink()
        steps += world.steps
        rounds += 1
        seed += 1
        if rounds == options.rounds:
            break
    print(f"{steps} steps in {rounds} rounds: no difference")
    return 0


def keep(
    options: argparse.Namespace, hub: localhub.LocalHub, folder: Path, log: Path, world: World
) -> None:
    """Stores the failing case, and a shorter one if there is one."""
    options.keep.mkdir(parents=True, exist_ok=True)
    kept = options.keep / log.name
    shutil.copy(log, kept)
    shutil.copy(world.mount.log_path, kept.with_suffix(".log"))
    print(f"kept: {kept} (scripts/soak --replay {kept})", flush=True)
    if options.no_shrink:
        return
    operations = load(kept)
    shorter = shrink(
        operations, lambda some: bool(failure_of(some, hub, folder)), seconds=SHRINK_SECONDS
    )
    if len(shorter) < len(operations):
        short = kept.with_suffix(".short.jsonl")
        short.write_text("".join(json.dumps(operation) + "\n" for operation in shorter))
        print(f"kept: {short}: {len(shorter)} of {len(operations)} operations")
        print(failure_of(shorter, hub, folder))


def load(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def replay(options: argparse.Namespace, hub: localhub.LocalHub, folder: Path) -> int:
    failure = failure_of(load(options.replay), hub, folder)
    print(failure or f"{options.replay}: no difference")
    return 1 if failure else 0


def failure_of(operations: list[dict], hub: localhub.LocalHub, folder: Path) -> str | None:
    """Plays operations on a fresh mount."""
    place = Path(tempfile.mkdtemp(dir=folder))
    world = World(place / "world", hub.address.endpoint, REPO, place / "log.jsonl")
    try:
        with world.running():
            world.play(operations)
        return None
    except (Different, RuntimeError) as failure:
        return str(failure)
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
