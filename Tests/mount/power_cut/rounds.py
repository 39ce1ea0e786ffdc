"""Rounds of editing, power cut and recovery: the command behind test_power_cut.py and scripts/soak."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import localhub

from . import cases
from .machine import local_disk, own_boot_id
from .round import Round


def main() -> int:
    options = parse()
    # Modes of what is made are compared.
    os.umask(0o022)
    folder = Path(tempfile.mkdtemp(prefix="hubfs-power-cut-"))
    hub = localhub.LocalHub(folder / "hub")
    try:
        hub.start()
        token = hub.create_token("lab", "write")
        run = Run(options, folder, hub, token, local_disk(folder), own_boot_id(folder))
        if options.case:
            return run.case(options.case)
        return run.commits(options.commits) if options.commits else run.rounds()
    finally:
        hub.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Run:
    """Rounds one after the other, each in a folder of its own, at one Hub."""

    def __init__(
        self, options: argparse.Namespace, folder: Path, hub: localhub.LocalHub, token: str,
        library: Path, boot_id: Path,
    ):  # fmt: skip
        self.options = options
        self.folder = folder
        self.parts = (hub, token, library, boot_id)
        self.cuts = 0
        # What the daemons said of commits that were cut off.
        self.found = self.made_anew = 0
        self.seed = options.seed
        if self.seed is None:
            self.seed = random.SystemRandom().randrange(10**9)

    def rounds(self) -> int:
        end = time.monotonic() + self.options.minutes * 60
        rounds = 0
        while rounds < self.options.rounds and time.monotonic() < end:
            seed = self.seed + rounds
            if not self.play(seed, Round.play, f"--rounds 1 --seed {seed}"):
                return 1
            rounds += 1
        self.report(f"{rounds} rounds from seed {self.seed}")
        return 0

    def commits(self, every: int) -> int:
        """Cuts a commit after each number of changes of the disk, in steps, until it is whole."""
        changes = self.seed % every
        whole = []
        while not whole:
            seed = self.seed + changes
            again = f"--commits {every} --seed {self.seed}"
            if not self.play(seed, lambda round: whole.extend(cases.commit(round, changes)), again):
                return 1
            changes += every
        self.report(f"a commit of {changes} changes, cut off after every {every}th of them")
        return 0

    def case(self, name: str) -> int:
        again = f"--case {name} --seed {self.seed}"
        return 0 if self.play(self.seed, getattr(cases, name), again) else 1

    def report(self, what: str) -> None:
        print(
            f"{what}: {self.cuts} power cuts, nothing that was synced is lost; of the commits that "
            f"were cut off, {self.found} were found at the Hub and {self.made_anew} made anew"
        )

    def play(self, seed: int, play: Callable[[Round], object], again: str) -> bool:
        """Plays on a fresh round; if that fails, tells how, and keeps what is left of it."""
        place = self.folder / f"round-{seed}"
        round = Round(place, *self.parts, seed)
        try:
            play(round)
            return True
        except Exception:
            print(f"FAILED: scripts/soak --power-cuts {again}")
            print("\n".join(round.log))
            print(round.mount.log()[-4000:])
            traceback.print_exc(file=sys.stdout)
            self.keep(round)
            return False
        finally:
            round.tear_down()
            self.cuts += round.cuts
            self.found += round.mount.log().count("the commit that was under way is at the Hub")
            self.made_anew += round.mount.log().count("under way did not reach the Hub")
            shutil.rmtree(place)

    def keep(self, round: Round) -> None:
        if self.options.keep:
            kept = self.options.keep / f"seed-{round.seed}"
            for image in sorted(round.machine.folder.glob("image-*")):
                shutil.copytree(image, kept / image.name, dirs_exist_ok=True)
            print(f"kept: {kept}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak --power-cuts",
        description="Random edits and commits of a mount whose state lies on a disk that loses what "
        "was not synced when its power is cut; after each cut the mount must show what "
        "docs/SEMANTICS.md promises. Ends at the first round that does not.",
    )
    parser.add_argument("--seed", type=int, help="of the first round (default: a random one)")
    parser.add_argument("--rounds", type=int, default=300, help="at most so many (default: 300)")
    parser.add_argument(
        "--minutes", type=float, default=60, help="begin no new round after this time (default: 60)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where the disks of a failing round go"
    )
    parser.add_argument(
        "--commits", type=int, metavar="N",
        help="instead, cut one commit off after N changes of the disk, after 2 N, and so on",
    )  # fmt: skip
    parser.add_argument("--case", choices=cases.NAMES, help="instead, play one of these")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
