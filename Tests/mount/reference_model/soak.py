"""Runs the reference model for long: the command behind `scripts/soak`."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# The official client reads its settings while it is imported. this Hub offers no Xet storage.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import kills
import localhub
from mounting import Mount
from published import Judge, Published

from .committing_world import CommittingWorld
from .comparison import Different
from .shrinking import shrink
from .world import START, START_OF_SEVERAL, World

SHRINK_SECONDS = 300
FAILURES = (Different, RuntimeError, OSError, subprocess.TimeoutExpired)


def main() -> int:
    options = parse()
    folder = Path(tempfile.mkdtemp(prefix="hubfs-soak-"))
    hub = localhub.LocalHub(folder / "hub")
    try:
        hub.start()
        run = Soak(options, folder, hub, hub.create_token("lab", "write"))
        if options.kills:
            return run.kill(options.kills)
        return run.replay() if options.replay else run.soak()
    finally:
        hub.stop()
        shutil.rmtree(folder, ignore_errors=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Random edits of a mount and of a plain folder, side by side, with remounts "
        "and kills between. Ends at the first difference, keeps the operations that lead to it, "
        "and tries to leave out those that do not matter. With --kills the edits are of another kind.",
        epilog="With --power-cuts first, see scripts/soak --power-cuts --help; with --follow, scripts/soak "
        "--follow --help.",
    )
    parser.add_argument("--seed", type=int, help="of the first round (default: a random one)")
    parser.add_argument("--steps", type=int, default=3000, help="of each round (default: 3000)")
    parser.add_argument(
        "--minutes", type=float, default=10, help="begin no new round after this time (default: 10)"
    )
    parser.add_argument("--rounds", type=int, help="at most so many (default: as time allows)")
    parser.add_argument(
        "--lanes", action="store_true",
        help="edit in several directories at once; a failing round cannot be repeated exactly",
    )  # fmt: skip
    parser.add_argument(
        "--commits", action="store_true",
        help="commit now and then as well, beside others who do; with --replay: for such a case",
    )  # fmt: skip
    parser.add_argument(
        "--kills", type=int, metavar="ROUNDS",
        help="instead of the model: kill the daemon at random moments of edits and commits, so often",
    )  # fmt: skip
    parser.add_argument("--replay", type=Path, metavar="FILE", help="play a kept case instead")
    parser.add_argument(
        "--keep", type=Path, default=Path("soak-failures"), metavar="FOLDER",
        help="where failing cases go (default: soak-failures)",
    )  # fmt: skip
    parser.add_argument("--no-shrink", action="store_true", help="keep a failing case as it is")
    return parser.parse_args()


@dataclass
class Soak:
    options: argparse.Namespace
    folder: Path
    hub: localhub.LocalHub
    token: str
    worlds: int = 0

    def soak(self) -> int:
        end = time.monotonic() + self.options.minutes * 60
        seed = self.options.seed
        if seed is None:
            seed = random.SystemRandom().randrange(10**9)
        steps = rounds = 0
        while rounds == 0 or time.monotonic() < end:
            print(f"seed {seed}: {self.options.steps} steps", flush=True)
            world = self.world(lanes=self.options.lanes)
            try:
                with world.running():
                    self.round(world, seed)
            except FAILURES as failure:
                print(f"seed {seed} FAILED: {failure}", flush=True)
                self.keep(seed, world)
                return 1
            shutil.rmtree(world.mount.folder)
            steps += world.steps
            rounds += 1
            seed += 1
            if rounds == self.options.rounds:
                break
        print(f"{steps} steps in {rounds} rounds: no difference")
        return 0

    def kill(self, rounds: int) -> int:
        """Ends the daemon by SIGKILL at random moments, and looks at what is left."""
        seed = self.options.seed
        if seed is None:
            seed = random.SystemRandom().randrange(10**9)
        print(f"seed {seed}: {rounds} kills", flush=True)
        self.import_repo("lab/kills", kills.START)
        published = Published(self.hub, "lab/kills", self.token)
        mount = Mount(self.folder / "m", self.hub.address.endpoint, token=self.token)
        mount.start("hf://lab/kills", "-w", "--commit", "manual")
        run = kills.Kills(Judge(published, mount, self.folder), seed)
        try:
            for done in range(rounds):
                run.round()
                if (done + 1) % 20 == 0:
                    print(f"{done + 1} kills, {run.operations} operations", flush=True)
        except (AssertionError, *FAILURES) as failure:
            kept = self.options.keep / f"kills-{seed}"
            shutil.copytree(mount.folder / "state", kept / "state")
            shutil.copy(mount.log_path, kept)
            print(f"seed {seed} FAILED: {failure!r}; kept: {kept}", flush=True)
            return 1
        finally:
            mount.tear_down()
        print(f"{run.operations} operations, {run.commits} commits begun, {rounds} kills: nothing lost")
        return 0

    def import_repo(self, repo: str, start: dict[str, bytes]) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder) as source:
            for name, data in start.items():
                path = Path(source, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            self.hub.run("import", "--root", self.hub.root, repo, source)

    def world(self, *, lanes: bool) -> World:
        """A fresh mount of a fresh repo."""
        self.worlds += 1
        start = START_OF_SEVERAL if lanes else START
        repo = f"lab/soak-{self.worlds}"
        folder = self.folder / f"world-{self.worlds}"
        self.import_repo(repo, start)
        if self.options.commits:
            return CommittingWorld(folder, self.hub, self.token, repo, start)
        return World(folder, self.hub.address.endpoint, self.token, repo, start)

    def round(self, world: World, seed: int) -> None:
        if self.options.lanes:
            world.play_lanes(seed, self.options.steps)
        else:
            world.play(world.generate(seed, self.options.steps))

    def keep(self, seed: int, world: World) -> None:
        """Stores the failing case, and a shorter one if there is one."""
        kept = self.options.keep / f"seed-{seed}"
        kept.mkdir(parents=True, exist_ok=True)
        for path in (world.mount.log_path, *world.mount.folder.glob("lane-*.jsonl")):
            shutil.copy(path, kept)
        print(f"kept: {kept}", flush=True)
        if not self.options.lanes and not self.options.no_shrink:
            self.shorten(kept)

    def shorten(self, kept: Path) -> None:
        operations = load(kept / "lane-0.jsonl")
        shorter = shrink(
            operations, lambda some: bool(self.failure_of(some)), seconds=SHRINK_SECONDS
        )
        if len(shorter) < len(operations):
            short = kept / "short.jsonl"
            short.write_text("".join(json.dumps(operation) + "\n" for operation in shorter))
            print(f"{len(shorter)} of {len(operations)} operations: scripts/soak --replay {short}")
            print(self.failure_of(shorter))

    def replay(self) -> int:
        failure = self.failure_of(load(self.options.replay))
        print(failure or f"{self.options.replay}: no difference")
        return 1 if failure else 0

    def failure_of(self, operations: list[dict]) -> str | None:
        """Plays operations on a fresh mount."""
        world = self.world(lanes=False)
        try:
            with world.running():
                world.play(operations)
            return None
        except FAILURES as failure:
            return str(failure)
        finally:
            shutil.rmtree(world.mount.folder, ignore_errors=True)


def load(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


if __name__ == "__main__":
    sys.exit(main())
