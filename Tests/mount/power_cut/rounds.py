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
from pathlib import Path

import localhub
from published import Published, files, tree
from reference_model import journal
from samples import noise, text

from .allowed import Allowed
from .machine import EditedMount, Machine, local_disk, own_boot_id
from .script import Script, Step

START = {
    "notes.txt": b"some notes\n",
    "config.json": text(3000, seed=81),
    "weights.safetensors": noise(150_000, seed=82),
    "d/e/only.txt": b"the only one\n",
    "d/data.txt": text(9000, seed=83),
}
STEPS_MAX = 60
# `hubfs commit` is done, or has named what the Hub cannot store (docs/ERRORS.md).
COMMIT_ENDS = (0, 14)


class PowerGone(Exception):
    """The power went while a mount came up."""


class Round:
    """One machine and its workspace: some lives that end by a power cut, and one that does not."""

    def __init__(
        self, folder: Path, hub: localhub.LocalHub, token: str, library: Path, boot_id: Path,
        seed: int,
    ):  # fmt: skip
        self.seed = seed
        self.random = random.Random(seed)
        self.machine = Machine(folder / "machine", boot_id)
        repo = f"lab/cut-{seed}"
        import_start(hub, folder / "start", repo)
        self.published = Published(hub, repo, token)
        self.head = self.published.head
        self.source = f"hf://{repo}"
        self.mount = EditedMount(folder, hub.address.endpoint, token, self.machine, library)
        self.folder = folder
        self.allowed: Allowed | None = None
        self.log: list[str] = []
        self.cuts = 0
        # The commit that was under way when the power went.
        self.open_commit = False

    def play(self) -> None:
        self.machine.boot(self.seed)
        self.mount_it()
        self.allowed = Allowed.of(self.mount.path)
        for _ in range(self.random.randrange(1, 4)):
            self.live()
            self.die()
            self.come_back()
        self.commit_rest()
        self.log.append("unmount")
        assert self.mount.unmount() == 0
        journal.check(self.machine.disk)
        self.machine.shut_down()

    # A life.

    def live(self) -> None:
        """Edits until the power goes, or until there is nothing more to do."""
        script = Script(str(self.mount.path), self.allowed, self.random)
        script.log = self.log
        steps = self.random.randrange(1, STEPS_MAX)
        armed = self.random.randrange(steps + steps // 4 + 1)
        ends_with_commit = self.random.random() < 0.4
        try:
            for index in range(steps):
                if index == armed:
                    self.arm(self.random.choice([5, 20, 100]))
                if not self.step(script):
                    return
            if ends_with_commit:
                if armed >= steps:
                    self.arm(120)
                self.commit(script)
        finally:
            self.script = script

    def arm(self, changes_max: int) -> None:
        changes = self.random.randrange(changes_max)
        self.log.append(f"(the power goes after {changes} changes of the disk)")
        self.machine.cut_after(changes)

    def step(self, script: Script) -> bool:
        dice = self.random.random()
        if dice < 0.01:
            self.log.append("kill")
            self.mount.kill()
            script.let_go()
            return self.start_again()
        if dice < 0.02:
            script.let_go()
            self.log.append("unmount, mount")
            self.mount.unmount()
            if not self.machine.has_power():
                return False
            self.allowed.sync_all()
            self.allowed.barrier()
            return self.start_again()
        if dice < 0.03:
            return self.commit(script)
        return script.run(script.next(), self.machine.has_power) and self.machine.has_power()

    def start_again(self) -> bool:
        try:
            self.mount_it()
            return True
        except PowerGone:
            return False

    def commit(self, script: Script) -> bool:
        def perform() -> None:
            done = self.mount.run("commit", self.mount.path, check=False)
            if done.returncode not in COMMIT_ENDS:
                raise OSError(0, f"the commit ended with {done.returncode}: {done.stderr}")

        step = Step("commit", perform, self.allowed.sync_all, is_barrier=True)
        ended = script.run(step, self.machine.has_power)
        self.open_commit = not ended or not self.machine.has_power()
        if not self.open_commit:
            self.check_commits()
        return not self.open_commit

    def die(self) -> None:
        self.log.append("(power cut)")
        self.mount.kill()
        self.script.let_go()
        self.machine.cut()
        self.cuts += 1

    def tear_down(self) -> None:
        self.mount.tear_down()
        self.machine.tear_down()

    # The next life begins.

    def come_back(self) -> None:
        """Recovery, which may be cut off itself, leads to an allowed state."""
        while True:
            self.machine.boot(self.random.randrange(1 << 32))
            if self.random.random() < 0.25:
                self.arm(60)
            try:
                self.mount_it()
            except PowerGone:
                self.log.append("(power cut while it recovered)")
                self.mount.tear_down()
                self.machine.cut()
                self.cuts += 1
                continue
            self.machine.cut_after(None)
            break
        stale = self.allowed.check(self.mount.path)
        self.log.append(f"(recovered; as of their last fsync: {stale})")
        self.allowed = Allowed.of(self.mount.path)
        if self.open_commit:
            self.commit_rest()
            self.open_commit = False

    def mount_it(self) -> None:
        try:
            self.mount.start(self.source, "-w", "--commit", "manual")
        except RuntimeError as failure:
            if self.machine.has_power():
                raise
            raise PowerGone from failure
        if not self.machine.has_power():
            raise PowerGone

    # Commits.

    def check_commits(self) -> None:
        """The commit that ended is one, or none if there was nothing; the Hub has the mount's files."""
        log = [commit.oid for commit in self.published.git.log()]
        new = log[: log.index(self.head)]
        assert len(new) <= 1, f"{len(new)} commits instead of one"
        self.head = log[0]
        looked = self.folder / "clone"
        found = self.published.clone(looked)
        shutil.rmtree(looked)
        shown = files(tree(self.mount.path), lambda path: False)
        assert found == shown, f"at the Hub {found}, in the mount {shown}"

    def commit_rest(self) -> None:
        """Everything that is not at the Hub yet becomes one commit, with the one that was cut off."""
        self.log.append("commit what is left")
        done = self.mount.run("commit", self.mount.path, check=False)
        assert done.returncode in COMMIT_ENDS, (done.returncode, done.stderr)
        self.check_commits()


def import_start(hub: localhub.LocalHub, folder: Path, repo: str) -> None:
    for name, data in START.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    hub.run("import", "--root", hub.root, repo, folder)


def main() -> int:
    options = parse()
    # Modes of what is made are compared.
    os.umask(0o022)
    folder = Path(tempfile.mkdtemp(prefix="hubfs-power-cut-"))
    seed = options.seed
    if seed is None:
        seed = random.SystemRandom().randrange(10**9)
    hub = localhub.LocalHub(folder / "hub")
    end = time.monotonic() + options.minutes * 60
    rounds = cuts = 0
    try:
        hub.start()
        token = hub.create_token("lab", "write")
        library = local_disk(folder)
        boot_id = own_boot_id(folder)
        while rounds < options.rounds and time.monotonic() < end:
            place = folder / f"round-{rounds}"
            round = Round(place, hub, token, library, boot_id, seed + rounds)
            if not play(round, options.keep):
                return 1
            shutil.rmtree(place)
            rounds += 1
            cuts += round.cuts
        print(f"{cuts} power cuts in {rounds} rounds from seed {seed}: nothing that was synced is lost")
        return 0
    finally:
        hub.stop()
        shutil.rmtree(folder, ignore_errors=True)


def play(round: Round, keep: Path | None) -> bool:
    """Plays a round; if it fails, tells how, and keeps what is left of it."""
    try:
        round.play()
        return True
    except Exception:
        print(f"seed {round.seed} FAILED: scripts/soak --power-cuts --rounds 1 --seed {round.seed}")
        print("\n".join(round.log))
        print(round.mount.log()[-4000:])
        traceback.print_exc(file=sys.stdout)
        if keep:
            kept = keep / f"seed-{round.seed}"
            for image in sorted(round.machine.folder.glob("image-*")):
                shutil.copytree(image, kept / image.name, dirs_exist_ok=True)
            print(f"kept: {kept}")
        return False
    finally:
        round.tear_down()


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
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
