"""Commits, and all else that moves the base below a mount: what they must make of both sides."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from . import comparison, shared
from .comparison import Different
from .hub_side import FOREIGN, HubSide
from .shared import Content, Divider, Hashes, Shared
from .side import Side

# The Hub itself adds lines to it: never edited here.
ATTRIBUTES = ".gitattributes"
# Exit codes of docs/ERRORS.md.
DONE, BUSY, CONFLICT, REFUSED = 0, 8, 13, 14
START_TIMEOUT_SECONDS = 5


@dataclass
class Before:
    """What is known just before a command that publishes or moves."""

    # What the mount will stand on once a commit that a kill cut off is found to be there.
    base: str
    head: str
    shared: Shared
    ours: dict[str, Content | None]
    theirs: dict[str, Content | None]
    conflicts: set[str]
    # Those of them where one side has a file and the other a folder.
    clashes: set[str]
    # Files of theirs in folders that are gone here.
    orphans: set[str]
    # Paths of theirs that programs can write to here, or that may count as edited.
    doubtful: set[str]
    # Where something that is only here stands in front of theirs: no commit of ours has to do with it.
    covered: set[str]


class Publishing:
    """The plain folder and the mount, and the branch both are based on."""

    def __init__(self, hub: HubSide, mount, plain: Side, mounted: Side):
        self.hub = hub
        self.mount = mount
        self.plain = plain
        self.mounted = mounted
        self.root = str(plain.root)
        self.base = hub.head
        self.hashes = Hashes()
        # Paths that were ours in a commit whose end has not been seen yet.
        self.sent: set[str] = set()
        # Paths at which others' objects show since the last look at the numbers.
        self.replaced: set[str] = set()
        # Paths at which ours covers what others did, and nobody has decided.
        self.undecided: set[str] = set()
        # Links that stay in front of files of theirs, decided or not.
        self.in_front: set[str] = set()

    def begin(self) -> None:
        shared.note_origins(self.root, self.hub.tree(self.base), self.divide())

    def divide(self, base: str | None = None) -> Shared:
        return Divider(self.root, self.hashes).divide(self.hub.tree(base or self.base))

    # Before.

    def look(self) -> Before:
        head = self.hub.head
        own = [commit for commit, title in self.hub.commits_since(self.base) if title != FOREIGN]
        base = own[-1] if own else self.base
        tree = self.hub.tree(base)
        divided = self.divide(base)
        # The commit that was cut off went on top of what others did: that shows once it is found.
        for path in self.foreign_paths(base) - self.sent:
            divided.published.pop(path, None)
            if path in tree:
                divided.published[path] = tree[path]
        ours = shared.difference(tree, divided.published)
        ours.pop(ATTRIBUTES, None)
        # A link removes nothing of theirs.
        self.in_front = {path for path in self.in_front if os.path.islink(self.plain.at(path))}
        links = [path for path in self.undecided if os.path.islink(self.plain.at(path))]
        links += self.in_front
        for path in [path for path in ours if any(is_at(path, link) for link in links)]:
            del ours[path]
        theirs = shared.difference(tree, self.hub.tree(head))
        disputed = shared.Disputed(ours, theirs, tree, self.root)
        return Before(
            base, head, divided, ours, theirs, disputed.paths | disputed.clashes,
            disputed.clashes, disputed.orphans, set(theirs) & self.writers(),
            self.covered(theirs.keys() - ours.keys(), theirs, divided),
        )  # fmt: skip

    def covered(
        self, paths: set[str], theirs: dict[str, Content | None], divided: Shared
    ) -> set[str]:
        """What stands here, at or above paths of theirs, and is nothing of the base's."""
        found = set()
        for path in paths:
            if theirs.get(path):
                found |= {self.cover(path, divided)} - {None}
        return {path for path in found if not found & set(shared.parents(path))}

    def cover(self, path: str, divided: Shared) -> str | None:
        for parent in [*shared.parents(path)][::-1]:
            here = self.plain.at(parent)
            is_folder = os.path.isdir(here) and not os.path.islink(here)
            if os.path.lexists(here) and not is_folder and parent not in divided.published:
                return parent
        is_here = os.path.lexists(self.plain.at(path)) and path not in divided.published
        return path if is_here else None

    def coverable(self, before: Before, tree: dict[str, Content]) -> list[str]:
        """Where something stands that is only here, and that the base has nothing to do with."""
        known = tree.keys() | shared.directories(tree)
        return sorted(
            path
            for path, group in before.shared.local_only.items()
            if group in ("ignored", "localOnly")
            and is_text(path) and not shared.is_aside(path)
            and all(shared.is_storable(name) for name in path.split("/"))
            and path not in known
            and shared.origin_of(self.root, path) is None
            and all(shared.origin_of(self.root, up) in (up, None) for up in shared.parents(path))
            and not any(is_at(writer, path) for writer in self.writers())
        )

    def give_way(self, path: str) -> None:
        """Ours is set aside, and theirs shows."""
        tree = self.hub.tree(self.base)
        folder = shared.directories(tree) | tree.keys()
        aside = shared.aside_of(
            path, lambda name: name in folder or os.path.lexists(self.plain.at(name))
        )
        with self.same_time(os.path.dirname(self.plain.at(path))):
            os.rename(self.plain.at(path), self.plain.at(aside))
        self.replaced |= {path, aside}
        self.show({name: has for name, has in tree.items() if is_at(name, path)})
        shared.note_origins(self.root, tree, self.divide())
        self.take_over_dates()

    def writers(self) -> set[str]:
        """Paths that are open for writing."""
        found = set()
        for descriptor in self.plain.handles.values():
            if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
                path = os.readlink(f"/proc/self/fd/{descriptor}")
                if path.startswith(self.root + "/"):
                    found.add(os.path.relpath(path, self.root))
        return found

    # `hubfs commit`, or an unmounting that commits.

    def judge_commit(
        self, before: Before, code: int, text: str, *, ours_win: bool = False,
        may_be_several: bool = False,
    ) -> None:  # fmt: skip
        """The branch is what it must be after a commit that ended with `code`."""
        conflicts = set() if ours_win else before.conflicts
        wanted = CONFLICT if conflicts else REFUSED if before.shared.is_refused else DONE
        if code != wanted and not (code == CONFLICT and before.doubtful):
            raise Different(f"the commit ended with {code}, not {wanted} ({conflicts}): {text}")
        if code == CONFLICT:
            if self.hub.head != before.head:
                raise Different("a commit that conflicts has moved the branch")
            return
        tree = self.hub.tree(before.head)
        ours = {**before.ours, **dict.fromkeys(before.orphans if ours_win else (), None)}
        left = {path: has for path, has in ours.items() if tree.get(path) != has}
        new = self.hub.commits_since(before.head)
        if len(new) != bool(left) and not may_be_several:
            raise Different(f"{len(new)} commits were made of {sorted(left)}: {text}")
        if new and self.hub.parent(new[0][0]) != before.head:
            raise Different("the commit is not on top of the branch")
        merged = {path: has for path, has in {**tree, **left}.items() if has}
        self.judge_tree(self.hub.head, merged)
        self.sent |= ours.keys()

    def judge_tree(self, commit: str, wanted: dict[str, Content | None]) -> None:
        found = self.hub.tree(commit)
        for path in (found.keys() | wanted.keys()) - {ATTRIBUTES}:
            if found.get(path) == wanted.get(path):
                continue
            raise Different(
                f"{path!r} at the Hub is {found.get(path)}, it should be {wanted.get(path)}"
            )

    # The base below the mount.

    def shown_base(self) -> tuple[str, dict]:
        """The commit the mount stands on, and its edits, as `hubfs status` tells."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        # The kernel shows a mount a moment before its daemon can be asked.
        while (done := self.mount.run("status", "--json", self.mount.path, check=False)).returncode:
            if time.monotonic() > deadline:
                raise Different(f"status ended with {done.returncode}: {done.stderr}")
            time.sleep(0.05)
        edits = json.loads(done.stdout)["mounts"][0]["edits"]
        return edits["base"], edits

    def follow(self) -> dict:
        """Brings the plain folder to the commit the mount stands on. Returns its edits."""
        commit, edits = self.shown_base()
        if commit != self.base:
            self.move(commit)
        return edits

    def move(self, commit: str) -> None:
        """What others changed between two bases shows now; the rest stays as it was."""
        if commit not in [number for number, _ in self.hub.commits_since(self.base)]:
            raise Different(f"the mount stands on {commit}, which does not follow {self.base}")
        changed = self.foreign_paths(commit)
        old, new = self.hub.tree(self.base), self.hub.tree(commit)
        self.in_front |= {
            path for path in changed if new.get(path) and os.path.islink(self.plain.at(path))
        }
        if old.get(ATTRIBUTES) != new.get(ATTRIBUTES):
            changed.add(ATTRIBUTES)
        changed -= self.sent
        divided = self.divide()
        covered = self.covered(changed, new, divided)
        self.undecided |= covered
        self.show(
            {
                path: new.get(path)
                for path in changed
                if not any(is_at(path, place) for place in covered)
            }
        )
        self.remove_emptied(shared.directories(old) - shared.directories(new))
        self.base = commit
        self.sent = set()
        shared.note_origins(self.root, new, self.divide())
        self.take_over_dates()

    def foreign_paths(self, commit: str) -> set[str]:
        """What others have changed from the base up to a commit."""
        changed: set[str] = set()
        for number, title in self.hub.commits_since(self.base):
            if title == FOREIGN:
                parent = self.hub.tree(self.hub.parent(number))
                changed |= shared.difference(parent, self.hub.tree(number)).keys()
            if number == commit:
                return changed
        return set()

    def show(self, files: dict[str, Content | None]) -> None:
        """Puts files of the base into the plain folder; who has one open keeps its bytes."""
        shown = self.divide().published
        for path, content in sorted(files.items()):
            # Both sides may have done the same.
            if shown.get(path) != content:
                self.show_file(path, content)

    def show_file(self, path: str, content: Content | None) -> None:
        self.replaced |= {path, *shared.parents(path)}
        target, mounted = self.plain.at(path), self.mount.path / path
        if content is None:
            if os.path.isfile(target) and not os.path.islink(target):
                with self.same_time(os.path.dirname(target)):
                    os.unlink(target)
            return
        self.make_folders(os.path.dirname(path))
        data = mounted.read_bytes()
        if (hashlib.sha256(data).hexdigest(), len(data)) != content:
            raise Different(f"{path!r} is at the Hub, and the mount shows something else")
        self.check_numbers_of_readers(path)
        with self.same_time(os.path.dirname(target)):
            beside = f"{self.root}.beside"
            Path(beside).write_bytes(data)
            shutil.copymode(mounted, beside)
            copy_look(mounted, beside)
            os.rename(beside, target)

    def check_numbers_of_readers(self, path: str) -> None:
        """Who has the old file open must see that the name shows another one now."""
        for slot, descriptor in self.plain.handles.items():
            if os.readlink(f"/proc/self/fd/{descriptor}") == self.plain.at(path):
                number = os.fstat(self.mounted.handles[slot]).st_ino
                if number == os.stat(self.mount.path / path).st_ino:
                    raise Different(f"{path!r} was replaced, and keeps its number")

    def make_folders(self, path: str) -> None:
        if not path:
            return
        if os.path.isdir(self.plain.at(path)):
            # One that was only here shows what is in theirs as well.
            if shared.origin_of(self.root, path) is None:
                os.setxattr(self.plain.at(path), shared.ORIGIN, os.fsencode(path))
                self.make_folders(os.path.dirname(path))
            return
        self.make_folders(os.path.dirname(path))
        with self.same_time(os.path.dirname(self.plain.at(path))):
            os.mkdir(self.plain.at(path))
        os.setxattr(self.plain.at(path), shared.ORIGIN, os.fsencode(path))
        copy_look(self.mount.path / path, self.plain.at(path))

    def remove_emptied(self, gone: set[str]) -> None:
        """Directories whose last file others removed are gone, unless something of ours is there."""
        for path in sorted(gone, key=len, reverse=True):
            here = self.plain.at(path)
            if os.path.isdir(here) and not os.path.islink(here) and not os.listdir(here):
                if shared.origin_of(self.root, path) == path and not os.path.isdir(
                    self.mount.path / path
                ):
                    with self.same_time(os.path.dirname(here)):
                        os.rmdir(here)

    def take_over_dates(self) -> None:
        """What was never changed shows the date of a commit: which one is not promised."""
        dates = self.hub.dates()
        for name in [".", *comparison.names_below(self.root)]:
            plain, mounted = self.plain.at(name), self.mount.path / name
            if os.lstat(plain).st_mtime_ns not in dates or not os.path.lexists(mounted):
                continue
            time = os.lstat(mounted).st_mtime_ns
            if time not in dates:
                raise Different(f"{name!r} was never changed, and shows the time {time}")
            os.utime(plain, ns=(time, time), follow_symlinks=False)

    class same_time:
        """A change of the base's is no change of the directory's time."""

        def __init__(self, folder: str):
            self.folder = folder

        def __enter__(self) -> None:
            self.time = os.stat(self.folder).st_mtime_ns

        def __exit__(self, *_) -> None:
            os.utime(self.folder, ns=(self.time, self.time))

    # `hubfs status`.

    def judge_status(self) -> None:
        """The listed changes are the real ones; a file that was written without a change may be
        among them."""
        edits = self.follow()
        before = self.look()
        if before.base != self.base:
            return  # of a commit that a kill cut off
        tree = self.hub.tree(self.base)
        shown: dict[str, str] = {}
        for change in edits["changes"]:
            shown[change["path"]] = "gone" if change["kind"] == "deleted" else "put"
            if change["kind"] == "renamed":
                shown.setdefault(change["oldPath"], "gone")
        for path, has in before.ours.items():
            if shown.get(path) != ("put" if has else "gone"):
                raise Different(f"status says {shown.get(path)} of {path!r}, which is {has}")
        for path, kind in shown.items():
            if path in before.ours or path == ATTRIBUTES:
                continue
            if kind != "put" or before.shared.published.get(path) != tree.get(path):
                raise Different(f"status says {kind} of {path!r}, which is as it was")
        listed = {item["path"]: item["group"] for item in edits["localOnly"]}
        wanted = {as_shown(path): group for path, group in before.shared.local_only.items()}
        if listed != wanted and not any(len(path) > 900 for path in wanted):
            raise Different(f"status lists {listed}, only here are {wanted}")

    # `hubfs discard PATH`.

    def judge_discard(self, before: Before, path: str, code: int, text: str) -> None:
        self.follow()
        busy = any(is_at(writer, path) for writer in self.writers())
        edited = any(is_at(change, path) for change in before.ours) or any(
            is_at(name, path) for name in before.shared.local_only
        )
        if code == BUSY and busy:
            return
        if code != DONE:
            if edited or code not in (2, 3):
                raise Different(f"discard {path!r} ended with {code}: {text}")
            return
        self.close_same(path)
        self.restore(path)

    def close_same(self, path: str) -> None:
        """Handles of files that show the same bytes before and after: whether the name shows the
        same object still is not promised."""
        for slot, descriptor in list(self.plain.handles.items()):
            name = os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), self.root)
            if is_at(name, path):
                for side in (self.plain, self.mounted):
                    side.close(slot)

    def restore(self, path: str) -> None:
        """The plain folder shows the base at a path and below it."""
        tree = self.hub.tree(self.base)
        files = {name: has for name, has in tree.items() if is_at(name, path)}
        folders = {name for name in shared.directories(files) if is_at(name, path)}
        here = self.plain.at(path).rstrip("/")
        with self.same_time(os.path.dirname(here) if path else here):
            self.clear(path, files, folders)
        self.show(files)
        below = [path] if path else ["."]
        if os.path.isdir(here) and not os.path.islink(here):
            below += [os.path.join(path, name) for name in comparison.names_below(here)]
        for name in [*below, os.path.dirname(path) or "."]:
            if os.path.lexists(self.plain.at(name)) and os.path.lexists(self.mount.path / name):
                copy_look(self.mount.path / name, self.plain.at(name))

    def clear(self, path: str, files: dict, folders: set[str]) -> None:
        """Removes what the base does not have, or has as something else."""
        here = self.plain.at(path)
        if os.path.islink(here) or os.path.isfile(here):
            if path not in files or os.path.islink(here):
                os.unlink(here)
            return
        if not os.path.isdir(here):
            return
        if path and (path not in folders or shared.origin_of(self.root, path) != path):
            shutil.rmtree(here)
            return
        for name in os.listdir(here):
            self.clear(os.path.join(path, name), files, folders)


def is_at(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies below it."""
    return folder == "" or path == folder or path.startswith(folder + "/")


def is_text(path: str) -> bool:
    return os.fsencode(path).isascii() or as_shown(path) == path


def as_shown(path: str) -> str:
    """A path in JSON: what is not UTF-8 is replaced."""
    return os.fsencode(path).decode(errors="replace")


def copy_look(source: str | Path, target: str | Path) -> None:
    """Mode, attributes and time."""
    status = os.lstat(source)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(target, stat.S_IMODE(status.st_mode))
    wanted = dict(comparison.attributes(str(source)))
    for name, _ in comparison.attributes(str(target)):
        if name not in wanted:
            os.removexattr(target, name, follow_symlinks=False)
    for name, value in wanted.items():
        os.setxattr(target, name, value, follow_symlinks=False)
    os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns), follow_symlinks=False)
