"""The numbered sentences of docs/SEMANTICS.md about mounts that follow a branch; one test for each."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import stat
import time

import pytest
from following import NEVER, Branch
from localhub import REPOSITORY
from published import Published
from samples import MEBIBYTE, noise

LARGE = noise(9 * MEBIBYTE, seed=120)
OTHER = noise(9 * MEBIBYTE, seed=121)
START = {
    "kept.txt": b"kept\n",
    "changed.txt": b"before\n",
    "gone.txt": b"gone\n",
    "large.bin": LARGE,
    "run/a.txt": b"a\n",
    "run/deep/b.txt": b"b\n",
    "still/c.txt": b"c\n",
}


@pytest.fixture
def branch(hub, import_repo, new_mount, write_token) -> Branch:
    published = Published(hub, import_repo(START), write_token)
    return Branch(published, new_mount(f"hf://{published.id}", NEVER))


def test_the_document_and_the_tests_have_the_same_numbers():
    document = (REPOSITORY / "docs/SEMANTICS.md").read_text()
    written = [int(number) for number in re.findall(r"\(F(\d+)\)", document)]
    names = [name for name in globals() if name.startswith("test_f")]
    tested = [int(re.match(r"test_f(\d\d)_", name)[1]) for name in names]
    assert sorted(written) == list(range(1, len(written) + 1))
    assert set(written) == set(tested)


def test_f01_what_is_committed_is_shown(branch):
    assert (branch.path / "changed.txt").read_bytes() == b"before\n"
    assert (branch.path / "gone.txt").exists() and (branch.path / "run/deep/b.txt").exists()
    # The kernel keeps that they are absent.
    assert not (branch.path / "new.txt").exists() and not (branch.path / "run/new").exists()
    branch.go(
        {"changed.txt": b"after, and longer\n", "new.txt": b"new\n", "run/new/d.txt": b"d\n"},
        delete=("gone.txt", "run/deep/"),
    )
    assert sorted(os.listdir(branch.path)) == [
        ".gitattributes", "changed.txt", "kept.txt", "large.bin", "new.txt", "run", "still"]  # fmt: skip
    assert sorted(os.listdir(branch.path / "run")) == ["a.txt", "new"]
    assert (branch.path / "changed.txt").read_bytes() == b"after, and longer\n"
    assert (branch.path / "changed.txt").stat().st_size == 18
    assert (branch.path / "new.txt").read_bytes() == b"new\n"
    assert (branch.path / "run/new/d.txt").read_bytes() == b"d\n"
    assert not (branch.path / "gone.txt").exists() and not (branch.path / "run/deep").exists()


def test_f01_it_is_shown_without_being_told(hub, import_repo, new_mount, write_token):
    published = Published(hub, import_repo(START), write_token)
    branch = Branch(published, new_mount(f"hf://{published.id}", "--follow=0.2"))
    assert (branch.path / "changed.txt").read_bytes() == b"before\n"
    for number in range(3):
        branch.commit({"changed.txt": b"%d\n" % number})
        branch.wait(lambda number=number: (branch.path / "changed.txt").read_bytes() == b"%d\n" % number)


def test_f02_what_is_open_keeps_its_bytes(branch):
    with (
        open(branch.path / "large.bin", "rb", buffering=0) as file,
        open(branch.path / "gone.txt", "rb", buffering=0) as gone,
        open(branch.path / "run/deep/b.txt", "rb", buffering=0) as below,
    ):
        first = file.read(4096)
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        branch.go({"large.bin": OTHER}, delete=("gone.txt", "run/"))
        # Most of it was not fetched before.
        assert first + file.read() == LARGE and mapped[:] == LARGE
        assert gone.read() == b"gone\n" and below.read() == b"b\n"
        assert os.fstat(gone.fileno()).st_size == 5 and os.fstat(file.fileno()).st_size == len(LARGE)
        # It can be opened again by those who have it.
        with open(f"/proc/self/fd/{gone.fileno()}", "rb") as again:
            assert again.read() == b"gone\n"
        assert (branch.path / "large.bin").read_bytes() == OTHER
        mapped.close()


def test_f02_a_folder_that_is_gone_is_what_it_was(branch):
    folder = os.open(branch.path / "run", os.O_RDONLY | os.O_DIRECTORY)
    try:
        branch.go(delete=("run/",))
        assert sorted(os.listdir(folder)) == ["a.txt", "deep"]
        file = os.open("deep/b.txt", os.O_RDONLY, dir_fd=folder)
        assert os.read(file, 10) == b"b\n"
        os.close(file)
        assert not (branch.path / "run").exists()
    finally:
        os.close(folder)


def test_f03_a_stream_shows_one_commit(hub, import_repo, new_mount, write_token):
    names = [f"{number:05}.txt" for number in range(5000)]
    published = Published(hub, import_repo({f"d/{name}": b"" for name in names}), write_token)
    branch = Branch(published, new_mount(f"hf://{published.id}", NEVER))
    for turn in range(3):
        # Twice: what the kernel could keep of it, it keeps.
        for _ in range(2):
            assert sorted(os.listdir(branch.path / "d")) == names
        with os.scandir(branch.path / "d") as entries:
            found = [next(entries).name for _ in range(10)]
            gone = tuple(names[3:6] + names[-6:-3])
            branch.go({f"d/{names[-1]}x": b"x"}, delete=tuple(f"d/{name}" for name in gone))
            # Others have read the new one meanwhile.
            new = sorted(set(names) - set(gone) | {f"{names[-1]}x"})
            assert turn == 0 or sorted(os.listdir(branch.path / "d")) == new
            found += [entry.name for entry in entries]
        assert sorted(found) == names
        names = new


def test_f03_a_stream_that_begins_anew_shows_what_is_there_then(branch):
    folder = os.open(branch.path / "run", os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert sorted(os.listdir(folder)) == ["a.txt", "deep"]
        branch.go({"run/b.txt": b"b\n"})
        assert sorted(os.listdir(folder)) == ["a.txt", "b.txt", "deep"]
    finally:
        os.close(folder)


@pytest.mark.alone
def test_f04_what_does_not_change_stays_what_it_is(hub, branch):
    def facts(name: str) -> tuple:
        found = (branch.path / name).stat()
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    names = ["kept.txt", "still", "still/c.txt", "run/deep", "run/deep/b.txt"]
    before = {name: facts(name) for name in names + ["changed.txt", "run"]}
    time.sleep(1.1)  # A commit has a date in whole seconds.
    # What the kernel has forgotten of a directory that changes is taken for changed.
    held = [os.open(branch.path / name, os.O_RDONLY) for name in names]
    branch.go({"changed.txt": b"after\n", "run/a.txt": b"A\n"})
    for file in held:
        os.close(file)
    assert {name: facts(name) for name in names} == {name: before[name] for name in names}
    changed = facts("changed.txt")
    assert changed[0] != before["changed.txt"][0] and changed[1] > before["changed.txt"][1]
    assert facts("run")[0] == before["run"][0] and facts("run")[1] > before["run"][1]
    # Also when the kernel has forgotten everything.
    branch.mount.drop_page_cache()
    assert {name: facts(name) for name in names} == {name: before[name] for name in names}
    assert facts("changed.txt") == changed


@pytest.mark.alone
def test_f04_the_kernel_keeps_the_pages_of_what_does_not_change(branch):
    def is_kept() -> bool:
        assert (branch.path / "large.bin").read_bytes() == LARGE
        branch.go({"changed.txt": os.urandom(8)})
        with open(branch.path / "large.bin", "rb", buffering=0) as file:
            return resident(file.fileno(), len(LARGE))

    # Another program of the machine may have the kernel drop its caches between.
    assert any(is_kept() for _ in range(5))


def resident(descriptor: int, size: int) -> bool:
    """Whether all pages of a file are in the kernel's cache. Source: man 2 mincore."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    address = libc.mmap(None, ctypes.c_size_t(size), mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    pages = (ctypes.c_ubyte * (-(-size // mmap.PAGESIZE)))()
    assert libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), pages) == 0
    libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
    return all(page & 1 for page in pages)


def test_f05_what_takes_a_place_is_another_object(branch):
    path = branch.path / "run"
    numbers = {path.stat().st_ino}
    branch.go({"run": b"a file now\n"}, delete=("run/",))
    assert stat.S_ISREG(path.stat().st_mode) and path.read_bytes() == b"a file now\n"
    numbers.add(path.stat().st_ino)
    with open(path, "rb", buffering=0) as file:
        branch.go({"run/a.txt": b"back\n"}, delete=("run",))
        assert stat.S_ISDIR(path.stat().st_mode) and os.listdir(path) == ["a.txt"]
        assert (path / "a.txt").read_bytes() == b"back\n" and file.read() == b"a file now\n"
    numbers.add(path.stat().st_ino)
    branch.go(delete=("run/",))
    branch.go({"run/a.txt": b"again\n"})
    numbers.add(path.stat().st_ino)
    assert (path / "a.txt").read_bytes() == b"again\n"
    assert len(numbers) == 4


def test_f06_one_question_an_interval(hub, import_repo, new_mount, write_token):
    published = Published(hub, import_repo(START), write_token)
    branch = Branch(published, new_mount(f"hf://{published.id}", "--follow=0.25"))
    for folder, _, _ in os.walk(branch.path):
        os.listdir(folder)
    began = time.monotonic()
    questions = branch.status["follow"]["questions"]
    hub.reset_stats()
    time.sleep(3)
    asked = hub.asked()
    questions = branch.status["follow"]["questions"] - questions
    # However slow the machine is, no more than one an interval, and one of each end.
    most = (time.monotonic() - began) / 0.25 + 2
    assert set(asked) == {"info"} and 6 <= asked["info"] <= most, asked
    assert 6 <= questions <= most


@pytest.mark.alone
def test_f06_only_folders_that_changed_are_listed(hub, branch):
    for folder, _, _ in os.walk(branch.path):
        os.listdir(folder)
    branch.commit({"run/deep/new.txt": b"new\n"})
    hub.reset_stats()
    branch.pull()
    assert sorted(os.listdir(branch.path / "run/deep")) == ["b.txt", "new.txt"]
    assert sorted(os.listdir(branch.path / "still")) == ["c.txt"]
    # The question, the date of the commit, and the folders from the root down to the one.
    assert hub.asked() == {"info": 1, "commits": 1, "tree": 3}


def test_f06_a_folder_that_nobody_has_seen_is_not_listed(hub, branch):
    assert (branch.path / "kept.txt").exists()
    branch.commit({"run/deep/new.txt": b"new\n"})
    hub.reset_stats()
    branch.pull()
    assert hub.asked() == {"info": 1, "commits": 1, "tree": 1}
    assert sorted(os.listdir(branch.path / "run/deep")) == ["b.txt", "new.txt"]


@pytest.mark.parametrize("loss", ["branch", "repo", "hub", "history"])
def test_f07_a_mount_goes_on_when_its_branch_is_lost(hub, import_repo, new_mount, write_token, loss):
    published = Published(hub, import_repo(START), write_token)
    revision = "side" if loss == "branch" else "main"
    if loss == "branch":
        published.api.create_branch(published.id, branch="side")
    branch = Branch(published, new_mount(f"hf://{published.id}@{revision}", "--follow=0.2"))
    assert (branch.path / "changed.txt").read_bytes() == b"before\n"
    commit = branch.shown
    lose(hub, published, loss)
    if loss == "history":
        # Another commit without a common past is gone to like any other.
        branch.wait(lambda: branch.shown != commit)
        assert (branch.path / "changed.txt").read_bytes() == b"before\n"
        return
    branch.wait(lambda: branch.status["follow"]["error"] is not None)
    assert branch.shown == commit and branch.status["commit"] == commit
    assert (branch.path / "changed.txt").read_bytes() == b"before\n"
    assert sorted(os.listdir(branch.path / "run")) == ["a.txt", "deep"]
    branch.mount.wait_for_log("cannot be followed now")
    assert "now it cannot" in branch.mount.run("status", branch.mount.path).stdout
    if loss == "hub":
        hub.start()
        new = branch.commit({"changed.txt": b"after\n"})
        branch.wait(lambda: (branch.path / "changed.txt").read_bytes() == b"after\n")
        assert branch.shown == new
        branch.mount.wait_for_log("can be followed again")
        assert branch.status["follow"]["error"] is None


def lose(hub, published: Published, what: str) -> None:
    match what:
        case "branch":
            published.api.delete_branch(published.id, branch="side")
        case "repo":
            published.api.delete_repo(published.id)
        case "history":
            published.api.super_squash_history(published.id)
        case "hub":
            hub.stop()


def test_f08_pull_moves_at_once(branch):
    commit = branch.commit({"changed.txt": b"after\n"})
    assert branch.shown != commit
    assert branch.pull() == commit
    assert (branch.path / "changed.txt").read_bytes() == b"after\n"
    assert branch.pull() == commit
    assert branch.status["follow"]["moves"] == 1


def test_f08_pull_says_why_it_cannot(hub, branch):
    hub.add_fault("--status", 403, "--to", "info")
    done = branch.mount.run("pull", branch.mount.path, check=False)
    assert done.returncode == 4 and "the mount stays" in done.stderr
    hub.clear_faults()
    assert branch.pull() == branch.shown


def test_f09_a_mount_without_it_stays(new_mount, import_repo):
    repo = import_repo(START)
    mount = new_mount(f"hf://{repo}")
    done = mount.run("pull", mount.path, check=False)
    assert done.returncode == 2 and "--follow" in done.stderr
