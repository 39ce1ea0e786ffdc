"""One machine with its workspace: edited, cut off, recovered, compared and committed."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import localhub
from published import Published, files, tree
from reference_model import journal
from samples import noise, text

from .allowed import Allowed
from .machine import EditedMount, Machine
from .script import Script, Step

START = {
    "notes.txt": b"some notes\n",
    "config.json": text(3000, seed=81),
    "weights.safetensors": noise(150_000, seed=82),
    "docs/more/only.txt": b"the only one\n",
    "docs/data.txt": text(9000, seed=83),
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
        self.allowed = Allowed()
        self.log: list[str] = []
        self.cuts = 0
        # The commit that was under way when the power went.
        self.open_commit = False

    def play(self) -> None:
        self.begin()
        for _ in range(self.random.randrange(1, 4)):
            self.live()
            self.die()
            self.come_back()
        self.end()

    def begin(self) -> None:
        self.machine.boot(self.seed)
        self.mount_it()
        self.allowed.take(self.mount.path)
        self.script = Script(str(self.mount.path), self.allowed, self.random, self.log)

    def end(self) -> None:
        self.commit_rest()
        self.log.append("unmount")
        assert self.mount.unmount() == 0
        journal.check(self.machine.disk)
        self.machine.shut_down()

    # A life.

    def live(self) -> None:
        """Edits until the power goes, or until there is nothing more to do."""
        script = self.script
        steps = self.random.randrange(1, STEPS_MAX)
        armed = self.random.randrange(steps + steps // 4 + 1)
        ends_with_commit = self.random.random() < 0.4
        for index in range(steps):
            if index == armed:
                self.arm(self.random.randrange(self.random.choice([5, 20, 100])))
            if not self.step(script):
                return
        if ends_with_commit:
            if armed >= steps:
                self.arm(self.random.randrange(120))
            self.commit()

    def arm(self, changes: int) -> None:
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
            return script.run(self.unmounting(), self.machine.has_power) and self.start_again()
        if dice < 0.03:
            return self.commit()
        return script.run(script.next(), self.machine.has_power) and self.machine.has_power()

    def start_again(self) -> bool:
        try:
            self.mount_it()
            return True
        except PowerGone:
            return False

    def unmounting(self) -> Step:
        def perform() -> None:
            self.mount.unmount()
            if not self.machine.has_power():
                raise OSError(0, "the power went before the daemon had ended")

        return Step("unmount, mount", perform, self.allowed.sync_all, is_barrier=True)

    def commit(self) -> bool:
        """Returns whether it ended, and the machine still runs."""

        def perform() -> None:
            done = self.mount.run("commit", self.mount.path, check=False)
            if done.returncode not in COMMIT_ENDS:
                raise OSError(0, f"the commit ended with {done.returncode}: {done.stderr}")

        step = Step("commit", perform, self.allowed.sync_all, is_barrier=True)
        ended = self.script.run(step, self.machine.has_power)
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

    def come_back(self) -> list[str]:
        """Recovery, which may be cut off itself, leads to an allowed state.

        Returns the files that do not show what programs saw last.
        """
        while True:
            self.machine.boot(self.random.randrange(1 << 32))
            if self.random.random() < 0.25:
                self.arm(self.random.randrange(60))
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
        if self.open_commit:
            self.commit_rest()
            self.open_commit = False
        return stale

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
        """What ended is one commit, or none if there was nothing; the Hub has the mount's files."""
        log = [commit.oid for commit in self.published.git.log()]
        new = log[: log.index(self.head)]
        assert len(new) <= 1, f"{len(new)} commits instead of one"
        self.head = log[0]
        looked = self.folder / "clone"
        found = self.published.clone(looked)
        shutil.rmtree(looked)
        shown = files(tree(self.mount.path), lambda path: False)
        wrong = {path for path in found | shown if found.get(path) != shown.get(path)}
        assert not wrong, f"the Hub and the mount have different {sorted(wrong)}"

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
