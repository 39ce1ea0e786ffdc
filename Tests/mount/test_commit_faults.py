"""Every fault of localhub at every request of a commit.

Whatever goes wrong, the edits are at the Hub exactly once in the end: by the same commit when the
fault passes, else by the next one. HUBFS_WAIT_FACTOR makes a debug build wait less between tries.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import threading
import time
from pathlib import Path

import localhub
import pytest
from conftest import import_folder, mounts, run
from published import Judge, Published, tree
from samples import noise

# As many parts as three, in little time.
PART_BYTES = 25_000
START = {
    "README.md": b"---\nlicense: mit\n---\n# A model\n",
    "config.json": b'{"layers": 12}\n',
    "theirs/note.txt": b"0\n",
    "bases/one.bin": noise(3000, seed=1),
    "texts/one.txt": b"one\n",
}

# What a commit asks for, in this order; a write's requests have a body.
WRITES = [
    "validate-yaml", "preupload", "lfs-batch", "lfs-upload", "lfs-part", "lfs-complete", "lfs-verify",
    "commit", "paths-info",
]  # fmt: skip
LOOKS = ["info", "tree", "commits"]
# Bytes of the base that a commit needs to make edited and renamed files whole.
READS = ["resolve", "cdn"]

# Faults that pass by themselves: nobody learns of them.
PASSING = {
    "status 503": ("--status", 503, "--retry-after", 0),
    "late status": ("--late-status", 504),
    "cut": ("--cut", 3),
    "reset": ("--reset",),
    "answer lost": ("--lose-answer",),
    "gzip": ("--gzip",),
}
PASSING_OF_WRITES = PASSING | {"reset in the request": ("--reset-upload", 20)}
# Those of every kind, where they can mean something of their own.
PASSING_OF_ALL_KINDS = PASSING_OF_WRITES | {
    "status 500": ("--status", 500),
    "quota": ("--429", 0),
    "delay": ("--delay", "100ms"),
    "link": ("--link", "rtt=20ms,window=100KB"),
    "reset in the answer": ("--reset", "--at", 3),
    "stall": ("--stall",),
    "stall in the answer": ("--stall", "--at", 3),
    "answer stalled": ("--stall-answer",),
}

UNSENT, LOCAL_STORAGE, REFUSED = 5, 10, 14


class Faulty(Judge):
    """A mount whose Hub is ill, and the cases it has been through."""

    def __init__(self, published: Published, mount, folder: Path):
        super().__init__(published, mount, folder)
        self.cases = itertools.count()
        self.is_sound = True
        # Of a commit without faults: how often each endpoint is asked.
        self.edit_once()
        self.published.hub.reset_stats()
        self.commit()
        self.asked = self.published.hub.stats()["endpoints"]
        self.glance()

    @property
    def hub(self) -> localhub.LocalHub:
        return self.published.hub

    def edit_once(self) -> None:
        """Edits that ask the Hub for everything a commit can ask for; others each time."""
        case = next(self.cases)

        def script(root: Path) -> None:
            (root / "README.md").write_bytes(START["README.md"] + b"%d\n" % case)
            (root / "config.json").write_bytes(b'{"layers": %d}\n' % case)
            (root / "small.bin").write_bytes(noise(1000, seed=1000 + case))
            (root / "parts.bin").write_bytes(noise(2 * PART_BYTES + 1000, seed=2000 + case))
            (root / f"new-{case}.txt").write_bytes(b"new %d\n" % case)
            (root / f"new-{case - 1}.txt").unlink(missing_ok=True)

        self.edit(script)

    def try_with(self, endpoint: str, number: int, *fault: object):
        """`hubfs commit`, with a fault at the n-th request to an endpoint."""
        self.hub.add_fault(*fault, "--to", endpoint, "--skip", number - 1, "--count", 1)
        done = self.mount.run("commit", self.mount.path, check=False)
        (state,) = self.hub.faults()
        self.hub.clear_faults()
        assert state["matched"] >= number
        return done

    def commits_in_the_end(self) -> None:
        """Nothing is lost, and a commit without faults brings all of it to the Hub, once."""
        assert tree(self.mount.path) == tree(self.plain)
        self.commit()
        self.glance()


@pytest.fixture(scope="module")
def small_parts(tmp_path_factory) -> localhub.LocalHub:
    """A Hub that wants objects of some kilobytes in parts."""
    hub = localhub.LocalHub(
        tmp_path_factory.mktemp("small-parts") / "root",
        multipart_threshold=2 * PART_BYTES, part_size=PART_BYTES,
    )  # fmt: skip
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def new_judge(small_parts, tmp_path_factory):
    """Mounts new repos for writing; the waits of these mounts are short."""
    token = small_parts.create_token("lab", "write")
    folder = tmp_path_factory.mktemp("faults")
    source = folder / "source"
    for path, data in START.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    numbers = itertools.count()
    with mounts(small_parts, folder, token) as make:

        def new(*options: object, factor: float = 0.01) -> Faulty:
            place = folder / f"plain-{next(numbers)}"
            place.mkdir()
            published = Published(small_parts, import_folder(small_parts, source), token)
            mount = make(f"hf://{published.id}", start=False)
            mount.environment["HUBFS_WAIT_FACTOR"] = str(factor)
            mount.start(f"hf://{published.id}", "-w", "--read-timeout", 3, *options)
            return Faulty(published, mount, place)

        yield new


@pytest.fixture(scope="module")
def shared(new_judge) -> list[Faulty]:
    return [new_judge()]


@pytest.fixture
def judge(shared, new_judge, small_parts) -> Faulty:
    """One mount for all, as long as it is well."""
    if not shared[-1].is_sound:
        shared.append(new_judge())
    judge = shared[-1]
    judge.is_sound = False
    yield judge
    small_parts.clear_faults()


def passing(endpoint: str) -> dict[str, tuple]:
    if endpoint in ("lfs-part", "commit", "paths-info"):
        return PASSING_OF_ALL_KINDS
    return PASSING_OF_WRITES if endpoint in WRITES else PASSING


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [(endpoint, name) for endpoint in WRITES + LOOKS for name in passing(endpoint)],
)
def test_a_fault_that_passes_is_not_seen(judge, endpoint, name):
    for number in range(1, judge.asked[endpoint] + 1):
        judge.edit_once()
        done = judge.try_with(endpoint, number, *passing(endpoint)[name])
        assert done.returncode == 0, done.stderr
        judge.glance()
    judge.is_sound = True


@pytest.mark.parametrize("endpoint", READS)
@pytest.mark.parametrize("name", ["status 503", "cut", "reset"])
def test_bytes_of_the_base_are_fetched_all_the_same(judge, endpoint, name):
    # Others have just made them, so that no cache has them.
    number = next(judge.cases)
    theirs = {f"bases/{number}.bin": noise(3000, seed=number), f"texts/{number}.txt": b"%d\n" % number}
    judge.published.commit(theirs)
    for path, data in theirs.items():
        (judge.plain / path).write_bytes(data)
    judge.mount.run("pull", judge.mount.path)
    judge.edit(lambda root: rename_and_edit(root, number))
    # The renamed file and the edited one are both asked for by resolve, one by a CDN.
    done = judge.try_with(endpoint, 1, *PASSING[name])
    assert done.returncode == 0, done.stderr
    judge.glance(commits=2)
    judge.is_sound = True


def rename_and_edit(root: Path, number: int) -> None:
    """Edits whose other bytes are at the Hub alone."""
    (root / f"texts/{number}.txt").rename(root / f"renamed-{number}.txt")
    with (root / f"bases/{number}.bin").open("r+b") as file:
        file.seek(1000)
        file.write(b"in the middle")


# What the Hub refuses: the code, and the next commit has it all.
REFUSALS = {
    401: REFUSED, 403: REFUSED, 404: REFUSED, 413: REFUSED, 422: REFUSED, 507: REFUSED,
}  # fmt: skip


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("endpoint", ["preupload", "lfs-batch", "lfs-verify", "commit"])
def test_a_refusal_says_why_and_keeps_all(judge, endpoint, status):
    judge.edit_once()
    why = "because of the weather"
    done = judge.try_with(endpoint, 1, "--status", status, "--message", why)
    assert done.returncode == REFUSALS[status], done.stderr
    assert why in done.stderr and str(status) in done.stderr and "the edits are kept" in done.stderr
    assert not judge.new_commits()
    judge.commits_in_the_end()
    judge.is_sound = True


@pytest.mark.parametrize("status", [400, 404, 409, 412])
@pytest.mark.parametrize("endpoint", WRITES + LOOKS)
def test_any_status_leaves_all_in_place(judge, endpoint, status):
    judge.edit_once()
    done = judge.try_with(endpoint, 1, "--status", status)
    assert done.returncode in (0, UNSENT, REFUSED), done.stderr
    assert done.returncode == 0 or str(status) in done.stderr
    assert len(judge.new_commits()) <= 1
    judge.commits_in_the_end()
    judge.is_sound = True


@pytest.mark.parametrize("endpoint", WRITES + LOOKS)
def test_an_answer_that_makes_no_sense_leaves_all_in_place(judge, endpoint):
    judge.edit_once()
    done = judge.try_with(endpoint, 1, "--corrupt")
    assert done.returncode in (0, UNSENT), done.stderr
    judge.commits_in_the_end()
    judge.is_sound = True


# Answers that are lost: the commit may have been made, and the Hub cannot be asked either.
LOST = {
    "answer lost": ("--lose-answer",),
    "answer lost in its middle": ("--reset", "--at", 3),
    "late status": ("--late-status", 504),
    "answer stalled": ("--stall-answer",),
    "answer that makes no sense": ("--corrupt",),
}
# Not made, which looks just the same.
NOT_MADE = {"reset": ("--reset",), "reset in the request": ("--reset-upload", 20)}


@pytest.mark.parametrize("theirs", [None, "others.txt"])
@pytest.mark.parametrize("name", LOST | NOT_MADE)
def test_a_lost_answer_is_asked_for_by_the_next_commit(judge, name, theirs):
    """Nobody can say at first what became of the commit."""
    judge.edit_once()
    for endpoint in ("commits", "paths-info"):
        judge.hub.add_fault("--status", 503, "--to", endpoint)
    judge.hub.add_fault(*(LOST | NOT_MADE)[name], "--to", "commit")
    done = judge.mount.run("commit", judge.mount.path, "-m", "first", check=False)
    assert done.returncode == UNSENT and "asked again before anything" in done.stderr
    judge.hub.clear_faults()
    assert len(judge.new_commits()) == (1 if name in LOST else 0)
    if theirs:
        judge.published.commit({theirs: name.encode()})
    judge.edit_once()
    judge.commit("-m", "second")
    if theirs:
        (judge.plain / theirs).write_bytes(name.encode())
    judge.glance(commits=(2 if name in LOST else 1) + (1 if theirs else 0))
    judge.is_sound = True


@pytest.mark.parametrize("name", LOST)
def test_a_lost_answer_is_found_by_the_same_commit(judge, name):
    """Others have committed on top of it by the time the history is asked for."""
    judge.edit_once()
    judge.hub.add_fault(*LOST[name], "--to", "commit", "--count", 1)
    judge.hub.add_fault("--delay", "1s", "--to", "commits", "--count", 1)
    judge.hub.reset_stats()
    commit = threading.Thread(target=judge.commit)
    commit.start()
    wait_until(lambda: judge.hub.stats()["endpoints"].get("commits", 0) > 0)
    data = name.encode()
    judge.published.commit({"theirs/note.txt": data})
    commit.join(timeout=60)
    judge.mount.run("pull", judge.mount.path)
    (judge.plain / "theirs/note.txt").write_bytes(data)
    judge.glance(commits=2)
    judge.is_sound = True


@pytest.mark.parametrize("name", LOST | NOT_MADE)
def test_a_pull_request_whose_answer_is_lost_is_opened_once(new_judge, name):
    judge = new_judge()
    judge.edit_once()
    judge.hub.add_fault(*(LOST | NOT_MADE)[name], "--to", "commit", "--count", 1)
    assert "refs/pr/1" in judge.commit("--create-pr")
    refs = judge.published.git.refs()
    assert [ref for ref in refs if "/pr/" in ref] == ["refs/pr/1"]
    assert not judge.new_commits()
    assert judge.published.git.log("refs/pr/1")[1].oid == judge.base
    assert tree(judge.mount.path) == tree(judge.plain)
    judge.mount.tear_down()


def wait_until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


# A Hub that is away.


def test_an_automatic_commit_arrives_when_the_hub_is_back(new_judge):
    """Nothing is written or closed after the first try failed."""
    judge = new_judge("--commit", "close", factor=0.02)
    judge.edit_once()
    judge.hub.stop()
    try:
        wait_until(lambda: "the edits are not at the Hub" in judge.mount.log())
    finally:
        judge.hub.start()
    wait_until(lambda: judge.new_commits())
    wait_until(lambda: tree(judge.mount.path) == tree(judge.plain))
    judge.commit()
    judge.glance()
    judge.mount.tear_down()


def test_an_unmount_without_the_hub_says_unsent_and_the_next_mount_has_it_all(new_judge):
    judge = new_judge()
    judge.edit_once()
    shown = tree(judge.plain)
    judge.hub.stop()
    try:
        done = judge.mount.run("umount", judge.mount.path, check=False)
        assert done.returncode == UNSENT and "cannot be reached" in done.stderr
        assert judge.mount.wait() == UNSENT
        # Without the Hub the next mount shows the edits as well, and still cannot send them.
        judge.mount.restart()
        assert tree(judge.mount.path) == shown
        assert judge.mount.unmount() == UNSENT
    finally:
        judge.hub.start()
    judge.mount.restart()
    assert tree(judge.mount.path) == shown
    judge.mount.run("umount", judge.mount.path)
    assert judge.mount.wait() == 0
    judge.mount.restart()
    judge.glance()
    judge.mount.tear_down()


def test_a_hub_that_goes_away_in_the_middle_of_a_commit(new_judge):
    judge = new_judge()
    for endpoint in ("preupload", "lfs-part", "commit"):
        judge.edit_once()
        judge.hub.add_fault("--delay", "2s", "--to", endpoint, "--count", 1)
        judge.hub.reset_stats()
        results = []
        commit = threading.Thread(
            target=lambda: results.append(judge.mount.run("commit", judge.mount.path, check=False))
        )
        commit.start()
        wait_until(lambda: judge.hub.stats()["endpoints"].get(endpoint, 0) > 0)
        judge.hub.stop()
        commit.join(timeout=60)
        judge.hub.start()
        assert results[0].returncode == UNSENT, results[0].stderr
        judge.commits_in_the_end()
    judge.mount.tear_down()


# A disk that is full: the workspace lies on a small one, of which its floor keeps 256 MiB.


@pytest.fixture
def small_disk(tmp_path) -> Path:
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(400 << 20)
    run("mkfs.ext4", "-q", "-m", 0, image)
    place.mkdir()
    run("mount", "-o", "loop", image, place)
    yield place
    run("umount", "-l", place)


class FullDisk:
    """Others fill the disk, to its last byte or nearly."""

    def __init__(self, disk: Path):
        self.path = disk / "filler"
        self.leaves = 0

    def leaving(self, count: int) -> "FullDisk":
        self.leaves = count
        return self

    def __enter__(self) -> None:
        with self.path.open("wb", buffering=0) as file:
            size = self.room
            while size >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    size //= 2
                else:
                    size = min(size, self.room)

    @property
    def room(self) -> int:
        return free_bytes(self.path.parent) - self.leaves

    def __exit__(self, *_) -> None:
        self.path.unlink()


def free_bytes(folder: Path) -> int:
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


@pytest.fixture
def disk_judge(new_judge, small_disk) -> tuple[Faulty, FullDisk]:
    """A mount whose workspace lies on the small disk, and its cache elsewhere."""
    judge = new_judge()
    judge.mount.run("umount", judge.mount.path)
    judge.mount.wait()
    judge.mount.environment["XDG_STATE_HOME"] = str(small_disk)
    judge.mount.restart()
    yield judge, FullDisk(small_disk)
    judge.mount.tear_down()


def test_a_full_disk_fails_the_writer_and_nothing_else(disk_judge):
    judge, full = disk_judge
    judge.edit_once()
    path = judge.mount.path / "large.bin"
    piece = noise(1 << 20)
    with path.open("wb", buffering=0) as file, full:
        with pytest.raises(OSError) as raised:
            for _ in range(100):
                file.write(piece)
        assert raised.value.errno == errno.ENOSPC
        with pytest.raises(OSError) as raised:
            (judge.mount.path / "another.txt").write_bytes(bytes(1000))
        assert raised.value.errno == errno.ENOSPC
        try:
            os.fsync(file.fileno())
        except OSError as error:
            assert error.errno == errno.ENOSPC
        shown = path.read_bytes()
    assert shown == (piece * 100)[: len(shown)]
    path.write_bytes(piece)
    (judge.plain / "large.bin").write_bytes(piece)
    # A name that was made before its bytes were refused.
    (judge.mount.path / "another.txt").unlink(missing_ok=True)
    judge.commits_in_the_end()


@pytest.mark.parametrize("left", [0, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20])
def test_a_disk_that_is_full_at_a_commit_loses_nothing(disk_judge, left):
    """The more is left, the later in the commit it is used up."""
    judge, full = disk_judge
    for number in range(2):
        judge.edit_once()
        judge.edit(lambda root: edit_in_the_middle(root, number))
        with full.leaving(left):
            done = judge.mount.run("commit", judge.mount.path, check=False)
            assert done.returncode in (0, LOCAL_STORAGE), done.stderr
            assert done.returncode == 0 or "full" in done.stderr
            assert done.returncode != 0 or left > 0
            assert tree(judge.mount.path) == tree(judge.plain)
        judge.commits_in_the_end()


def edit_in_the_middle(root: Path, number: int) -> None:
    """Only a part of the file is in the workspace, and a commit needs room for the rest."""
    with (root / "bases/one.bin").open("r+b") as file:
        file.seek(1000)
        file.write(b"edit %d" % number)


def test_a_daemon_that_dies_on_a_full_disk_loses_nothing(disk_judge):
    judge, full = disk_judge
    judge.edit_once()
    with full:
        judge.mount.run("commit", judge.mount.path, check=False)
        judge.mount.kill()
    judge.mount.restart()
    judge.commits_in_the_end()
