"""A world in which the edits are published, and others publish too."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import mounting

from . import comparison, journal, shared
from .comparison import Different
from .hub_side import FOREIGN, HubSide, invent_in_the_way
from .lane import Lane
from .publishing import CONFLICT, DONE, REFUSED, Before, Publishing, is_at, is_text
from .shared import Content
from .world import World

COMMIT_TIMEOUT_SECONDS = 60
# Steps while a commit goes on beside them.
STEPS_BESIDE = 15
# What is not one request of the kernel's: a commit may see it half done.
LOOSE = {"save", "replace", "copy", "copy_range", "map_write"}
REQUEST_MAX = (1 << 20) - 4096


class CommittingWorld(World):
    """A mount whose edits are committed, and whose base moves."""

    without = frozenset()

    def __init__(self, folder: Path, hub, token: str, repo: str, start: dict[str, bytes]):
        super().__init__(folder, hub.address.endpoint, token, repo, start)
        (self.lane,) = self.lanes
        self.hub = HubSide(hub.root, hub.address.endpoint, token, repo)
        self.publishing = Publishing(self.hub, self.mount, self.lane.plain, self.lane.mounted)
        self.moment = "manual"
        self.beside: subprocess.Popen | None = None
        self.beside_until = 0
        self.past: Past | None = None
        self.log_seen = 0

    def fill_plain_folder(self) -> None:
        super().fill_plain_folder()
        self.publishing.begin()

    # Steps.

    def perform(self, operation: dict) -> None:
        if self.beside and self.lane.steps >= self.beside_until:
            self.join()
        super().perform(operation)
        # What came and went with the base counts for directories that are being read as well.
        for side in (self.lane.plain, self.lane.mounted):
            side.note_changes_of_scans()
        if self.past:
            self.past.note(self.publishing.divide().published, operation)

    def compare_all(self) -> None:
        for lane in self.lanes:
            self.compare_lane(lane)

    def compare_lane(self, lane: Lane) -> None:
        """While commits are made by themselves, the base may move at any time."""
        if not self.past:
            return lane.compare_all()
        for _ in range(5):
            self.follow_commits()
            head = self.hub.head
            try:
                return lane.compare_all()
            except Different:
                if head == self.hub.head == self.publishing.base:
                    raise

    # Commands.

    def command(self, *words: object) -> tuple[int, str]:
        done = self.mount.run(*words, check=False)
        return done.returncode, done.stdout + done.stderr

    def commit(self, answer: str) -> None:
        self.join()
        numbers = self.numbers()
        if self.commit_once() == CONFLICT:
            before = self.publishing.look()
            if answer == "ours":
                self.commit_ours(before)
            elif answer == "discard":
                for path in sorted(before.conflicts):
                    self.discard_path(path)
                self.commit_once()
        self.compare_all()
        self.check_numbers(numbers)

    def commit_once(self, *options: str, ours_win: bool = False) -> int:
        self.follow_commits()
        before = self.publishing.look()
        code, text = self.command("commit", self.mount.path, *options)
        self.check_log(has_failed=code not in (DONE, REFUSED))
        self.publishing.judge_commit(
            before, code, text, ours_win=ours_win, may_be_several=self.past is not None
        )
        self.settle()
        if code != CONFLICT and before.ours and self.publishing.base != self.hub.head:
            raise Different("the mount does not stand on its own commit")
        return code

    def commit_ours(self, before: Before) -> None:
        """What is a file on one side and a folder on the other cannot be had both."""
        if not before.clashes:
            self.commit_once("--on-conflict", "ours", ours_win=True)

    def settle(self) -> None:
        """After the base has moved, or may have."""
        self.publishing.judge_status()
        self.decide()
        if self.past:
            self.past = Past(self.publishing.divide().published, self.publishing.base)

    def decide(self) -> None:
        """About what others committed where something stands that is only here."""
        covered, self.publishing.undecided = self.publishing.undecided, set()
        if not covered:
            return
        found = {item["path"] for item in self.publishing.shown_base()[1]["conflicts"]}
        if found != covered:
            raise Different(f"in conflict are {found}, it should be {covered}")
        self.compare_all()
        for path in sorted(covered):
            is_file = os.path.isfile(self.lane.plain.at(path)) and path.isascii()
            side = "ours" if is_file and len(path) % 2 else "theirs"
            code, text = self.command("resolve", self.mount.path / path, f"--{side}")
            if code != DONE:
                raise Different(f"resolve {path!r} ended with {code}: {text}")
            if side == "theirs":
                self.publishing.give_way(path)
        self.publishing.judge_status()
        self.compare_all()

    def ignore(self, lines: list[str]) -> None:
        """Another `.hubfsignore`; a commit beside reads it at a moment of its own."""
        if self.past:
            return
        for side in (self.lane.plain, self.lane.mounted):
            Path(side.at(shared.IGNORE_FILE)).write_text("".join(line + "\n" for line in lines))

    def pull(self) -> None:
        self.join()
        self.follow_commits()
        before = self.publishing.look()
        code, text = self.command("pull", self.mount.path)
        conflicts = before.conflicts | before.covered
        if code not in (DONE, CONFLICT) or conflicts and code != CONFLICT:
            raise Different(f"the pull ended with {code}: {text} ({conflicts})")
        if code == CONFLICT and not conflicts and not self.may_conflict(before):
            raise Different(f"the pull ended with {code}: {text}, and there is no conflict")
        self.settle()
        if code == DONE and self.publishing.base != before.head:
            raise Different("the mount has not moved to the head")
        self.compare_all()

    def may_conflict(self, before: Before) -> bool:
        """A file that was written and has its old bytes again counts as edited."""
        _, edits = self.publishing.shown_base()
        listed = {change["path"] for change in edits["changes"]}
        return bool(before.doubtful or listed & before.theirs.keys())

    def discard(self, seed: int) -> None:
        self.join()
        self.follow_commits()
        before = self.publishing.look()
        # A command line in UTF-8 cannot name the others.
        paths = sorted(path for path in [*before.ours, *before.shared.local_only] if is_text(path))
        if paths:
            dice = random.Random(seed)
            path = "" if dice.random() < 0.05 else dice.choice(paths)
            for _ in range(dice.randrange(2)):
                path = os.path.dirname(path) or path
            self.discard_path(path)
            self.compare_all()

    def discard_path(self, path: str) -> None:
        path = self.topmost(path)
        before = self.publishing.look()
        place = [] if path == "" else [self.mount.path / path]
        code, text = self.command("discard", "--yes", self.mount.path, *place)
        self.publishing.judge_discard(before, path, code, text)
        self.settle()

    def topmost(self, path: str) -> str:
        """A path whose directory is there, and the base's own."""
        root = self.publishing.root
        for parent in reversed([*shared.parents(path)]):
            if os.path.islink(os.path.join(root, parent)):
                return parent
            if shared.origin_of(root, parent) != parent:
                return parent
        return path

    def foreign(self, seed: int) -> None:
        """Others commit: mostly elsewhere, sometimes at the same paths."""
        if self.past:
            return
        before = self.publishing.look()
        tree = self.hub.tree(before.head)
        # The client wants a README.md to be text.
        touched = self.publishing.writers() | {".gitattributes", "README.md", shared.IGNORE_FILE}
        free = sorted(tree.keys() - before.ours.keys() - touched)
        disputed = sorted(before.ours.keys() - touched)
        folders = sorted(
            path
            for path in shared.directories(tree)
            if shared.origin_of(self.publishing.root, path) == path
        )
        changes = self.hub.invent(seed, free, disputed, folders)
        # What is only here is in nobody's way, and nobody in its.
        local = before.shared.local_only
        changes = {
            path: data
            for path, data in changes.items()
            if not any(is_at(path, name) or is_at(name, path) for name in local)
            and (data is not None or path in tree)
            and not any(parent in tree or parent in changes for parent in shared.parents(path))
            and path not in shared.directories([*tree, *changes])
        }
        in_the_way = invent_in_the_way(seed, self.publishing.coverable(before, tree))
        if not any(is_at(path, name) or is_at(name, path) for path in tree for name in in_the_way):
            changes = in_the_way or changes
        if changes:
            self.hub.commit(changes)

    # Beside each other.

    def commit_beside(self) -> None:
        """A commit that goes on while the next steps are done."""
        self.join()
        self.follow_commits()
        if self.hub.head != self.publishing.base:
            return
        self.past = self.past or Past(self.publishing.divide().published, self.publishing.base)
        self.beside = self.begin_commit()
        self.beside_until = self.lane.steps + STEPS_BESIDE

    def begin_commit(self) -> subprocess.Popen:
        return subprocess.Popen(
            [mounting.binary(), "commit", self.mount.path], env=self.mount.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def join(self) -> None:
        """Waits for the commit beside."""
        if not self.beside:
            return
        process, self.beside = self.beside, None
        _, text = process.communicate(timeout=COMMIT_TIMEOUT_SECONDS)
        if process.returncode not in (DONE, REFUSED):
            raise Different(f"the commit beside ended with {process.returncode}: {text}")
        self.follow_commits()
        self.publishing.judge_status()
        self.decide()
        if self.moment in ("manual", "unmount"):
            self.past = None

    def follow_commits(self) -> None:
        """Takes in what the mount has committed by itself."""
        if not self.past or self.hub.head == self.publishing.base:
            return
        deadline = time.monotonic() + COMMIT_TIMEOUT_SECONDS
        while self.publishing.shown_base()[0] != self.hub.head:
            if time.monotonic() > deadline:
                raise Different("the mount does not stand on its own commit")
            time.sleep(0.02)
        for commit, title in self.hub.commits_since(self.publishing.base):
            if title != FOREIGN:
                self.past.judge(self.hub.tree(commit), self.hub.tree(self.publishing.base))
        self.publishing.follow()

    # Ends.

    def remount(self, moment: str | None = None) -> None:
        self.join()
        self.follow_commits()
        before = self.publishing.look()
        numbers = self.numbers()
        self.let_go()
        before.doubtful = set()
        code = self.mount.unmount()
        self.check_log(has_failed=code != DONE)
        self.past = None
        if self.moment == "manual":
            if code != DONE:
                raise Different(f"the daemon ended with {code}:\n{self.mount.log()[-2000:]}")
        else:
            self.publishing.judge_commit(
                before, code, self.mount.log()[-1500:],
                may_be_several=self.moment != "unmount",
            )  # fmt: skip
        journal.check(self.mount.folder / "state")
        # With commits of others to come the base may only move when it is told to.
        is_behind = self.hub.head != before.head or self.publishing.base != before.head
        self.start_again("manual" if is_behind else moment or self.moment, numbers)

    def kill(self) -> None:
        self.join()
        self.follow_commits()
        numbers = self.numbers()
        self.mount.kill()
        self.let_go()
        self.past = None
        self.start_after_kill(numbers)

    def kill_commit(self, seconds: float) -> None:
        """The daemon dies while it commits; the commit is at the Hub or not, and the edits are there."""
        self.join()
        self.follow_commits()
        before = self.publishing.look()
        numbers = self.numbers()
        process = self.begin_commit()
        time.sleep(seconds)
        self.mount.process.send_signal(signal.SIGKILL)
        self.mount.process.wait(timeout=10)
        process.communicate(timeout=COMMIT_TIMEOUT_SECONDS)
        mounting.detach(self.mount.path)
        self.let_go()
        self.past = None
        self.check_log(has_failed=True)
        self.judge_cut_off(before)
        # Whether the commit is at the Hub can be open until the next command that asks.
        self.start_again("manual", numbers)

    def start_after_kill(self, numbers: dict[str, int]) -> None:
        """While it is open whether a commit is at the Hub, the base may only move when told to."""
        is_open = self.hub.head != self.publishing.base
        self.start_again("manual" if is_open else self.moment, numbers)

    def judge_cut_off(self, before: Before) -> None:
        new = self.hub.commits_since(before.head)
        if len(new) > 1 or new and before.conflicts:
            raise Different(f"a commit that was cut off is there as {new}")
        if new:
            both = {**self.hub.tree(before.head), **before.ours}
            merged = {path: has for path, has in both.items() if has}
            self.publishing.judge_tree(self.hub.head, merged)
            self.publishing.sent |= before.ours.keys()

    def start_again(self, moment: str, numbers: dict[str, int]) -> None:
        self.moment = moment
        self.mount.options = ("-w", "--commit", moment)
        self.mount.restart()
        self.publishing.judge_status()
        self.publishing.take_over_dates()
        self.decide()
        if moment not in ("manual", "unmount"):
            self.past = Past(self.publishing.divide().published, self.publishing.base)
        self.compare_all()
        self.check_numbers(numbers)

    def check_log(self, *, has_failed: bool = False) -> None:
        """Looks at what is new; a commit that must fail may say so."""
        log = self.mount.log()
        new, self.log_seen = log[self.log_seen :], len(log)
        errors = [line for line in new.splitlines() if " error " in line]
        if has_failed:
            errors = [line for line in errors if "the edits are not at the Hub" not in line]
        if errors:
            raise Different(f"the daemon logged {errors[:3]}")

    # Numbers.

    def numbers(self) -> dict[str, int]:
        """`st_ino` by path, of what the mount shows."""
        root = str(self.mount.path)
        return {
            name: os.lstat(os.path.join(root, name)).st_ino
            for name in comparison.names_below(root)
        }

    def check_numbers(self, before: dict[str, int]) -> None:
        """Objects keep their numbers, whatever becomes of the base; those of others are new."""
        for name, number in self.numbers().items():
            if name in before and before[name] != number and name not in self.publishing.replaced:
                raise Different(f"{name!r} has the number {number}, it had {before[name]}")
        self.publishing.replaced = set()


class Past:
    """What each path has shown since the mount stood on a base."""

    def __init__(self, published: dict[str, Content], base: str):
        self.base = base
        self.last = published
        self.states: dict[str, set[Content | None]] = {}
        # Paths a commit may have seen half written.
        self.loose: set[str] = set()
        for path, content in published.items():
            self.states.setdefault(path, set()).add(content)

    def note(self, published: dict[str, Content], operation: dict) -> None:
        changed = shared.difference(self.last, published)
        is_loose = operation["op"] in LOOSE or operation.get("size", 0) > REQUEST_MAX
        for path, content in changed.items():
            self.states.setdefault(path, {None}).add(content)
            if is_loose:
                self.loose.add(path)
        self.last = published

    def judge(self, found: dict[str, Content], base: dict[str, Content]) -> None:
        """Each path of a commit is as it was at some moment."""
        for path in found.keys() | self.states.keys():
            if path in self.loose or path == ".gitattributes" or path.endswith("~"):
                continue
            allowed = self.states.get(path, {None}) | {base.get(path)}
            if found.get(path) not in allowed:
                raise Different(f"{path!r} was committed as {found.get(path)}, never shown so")
