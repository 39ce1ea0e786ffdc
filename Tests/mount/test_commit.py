"""Commits of a writable mount, judged by the official client, by git, and by a plain folder to which
the same was done."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from conftest import run
from published import Judge, Published, exchange, tree
from samples import MEBIBYTE, noise, text

LARGE = noise(20 * MEBIBYTE, seed=80)
START = {
    "README.md": b"---\nlicense: mit\n---\n# A model\n",
    "config.json": b'{"layers": 12}\n',
    "notes.txt": text(30_000, seed=81),
    "weights/one.bin": noise(300_000, seed=82),
    "weights/two.safetensors": noise(2 * MEBIBYTE, seed=83),
    "weights/readme.txt": b"what is here\n",
    "weights/old/first.bin": noise(50_000, seed=84),
    "weights/old/log.txt": b"step 1\n",
    "data/train/a.csv": b"a,b\n1,2\n",
    "data/train/b.csv": b"a,b\n3,4\n",
    "data/test/c.csv": b"a,b\n5,6\n",
}


@pytest.fixture
def new_judge(hub, import_repo, new_editable_mount, write_token, tmp_path):
    """Mounts a new repo for writing, with a plain folder beside it."""

    def make(start: dict[str, bytes] = START, *options: str) -> Judge:
        published = Published(hub, import_repo(start), write_token)
        mount = new_editable_mount(f"hf://{published.id}", "-w", *options)
        return Judge(published, mount, tmp_path)

    return make


@pytest.fixture
def judge(new_judge) -> Judge:
    return new_judge()


# What is done to a tree, by name.


def add(root: Path) -> None:
    (root / "new.txt").write_bytes(b"new\n")
    (root / "weights/new.bin").write_bytes(noise(70_000, seed=85))


def modify(root: Path) -> None:
    (root / "config.json").write_bytes(b'{"layers": 24}\n')
    (root / "weights/one.bin").write_bytes(noise(310_000, seed=86))


def change_in_place(root: Path) -> None:
    with (root / "notes.txt").open("r+b") as file:
        file.seek(1000)
        file.write(b"in the middle")
    with (root / "weights/two.safetensors").open("r+b") as file:
        file.seek(MEBIBYTE)
        file.write(b"in the middle")


def append(root: Path) -> None:
    for name in ("notes.txt", "weights/two.safetensors"):
        with (root / name).open("ab") as file:
            file.write(b"at the end\n")


def cut_and_grow(root: Path) -> None:
    os.truncate(root / "notes.txt", 100)
    os.truncate(root / "weights/one.bin", 1000)
    os.truncate(root / "weights/two.safetensors", 3 * MEBIBYTE)
    os.truncate(root / "config.json", 0)
    os.truncate(root / "config.json", 50)


def delete(root: Path) -> None:
    (root / "config.json").unlink()
    (root / "weights/one.bin").unlink()


def rename_files(root: Path) -> None:
    (root / "config.json").rename(root / "data/settings.json")
    (root / "weights/one.bin").rename(root / "weights/renamed.bin")
    (root / "weights/two.safetensors").rename(root / "moved.safetensors")


def rename_over(root: Path) -> None:
    (root / "data/train/a.csv").rename(root / "data/train/b.csv")
    (root / "weights/one.bin").rename(root / "weights/old/first.bin")
    (root / "config.tmp").write_bytes(b'{"layers": 48}\n')
    (root / "config.tmp").rename(root / "config.json")


def rename_directory(root: Path) -> None:
    (root / "weights").rename(root / "parameters")


def rename_nested(root: Path) -> None:
    (root / "weights/old").rename(root / "weights/older")
    (root / "weights/older/first.bin").rename(root / "weights/older/second.bin")
    (root / "weights").rename(root / "data/weights")
    (root / "data/weights/older").rename(root / "archive")
    (root / "data/train").rename(root / "archive/train")
    (root / "archive/train/a.csv").write_bytes(b"edited where it went\n")
    (root / "archive/train/b.csv").unlink()
    (root / "data").rename(root / "contents")


def rename_onto_its_old_name(root: Path) -> None:
    """The old names are taken again, by others."""
    (root / "data").rename(root / "before")
    (root / "data").mkdir()
    (root / "before/test").rename(root / "data/train")
    (root / "data/train/a.csv").write_bytes(b"another a\n")
    (root / "config.json").rename(root / "config.old")
    (root / "config.json").write_bytes(b"another config\n")


def rename_there_and_back(root: Path) -> None:
    (root / "weights").rename(root / "elsewhere")
    (root / "elsewhere/readme.txt").write_bytes(b"changed on the way\n")
    (root / "elsewhere").rename(root / "weights")


def delete_directory(root: Path) -> None:
    shutil.rmtree(root / "data")
    shutil.rmtree(root / "weights/old")


def replace_file_by_directory(root: Path) -> None:
    (root / "config.json").unlink()
    (root / "config.json").mkdir()
    (root / "config.json/inside.json").write_bytes(b"{}\n")
    shutil.rmtree(root / "data/train")
    (root / "data/train").write_bytes(b"a file now\n")


def replace_directory_by_another(root: Path) -> None:
    shutil.rmtree(root / "data/train")
    (root / "data/train").mkdir()
    (root / "data/train/only.csv").write_bytes(b"only\n")
    (root / "weights/old").rename(root / "weights/away")
    (root / "weights/away").rename(root / "weights/old")


def swap_files(root: Path) -> None:
    exchange(root / "config.json", root / "notes.txt")
    exchange(root / "weights/one.bin", root / "weights/two.safetensors")


def swap_directories(root: Path) -> None:
    exchange(root / "data/train", root / "weights/old")
    (root / "data/train/log.txt").write_bytes(b"step 2\n")


def swap_file_and_directory(root: Path) -> None:
    exchange(root / "config.json", root / "data/test")


def empty_files(root: Path) -> None:
    (root / "empty.txt").touch()
    (root / "empty.bin").touch()
    os.truncate(root / "notes.txt", 0)
    os.truncate(root / "weights/one.bin", 0)


def strange_names(root: Path) -> None:
    for name in (
        "with space/and  two.txt", "ünïcödé/日本語 ☕.txt", "100% #1?.txt", "a+b&c=d;e.txt",
        "quote'\"back`.txt", "[brackets]{braces}~.bin", "trailing space ", "-dash", "ab:c*d|e<f>.txt",
        "%2e%2e/%41.txt", "..dots/...", ".hidden/.also",
        # Two names that differ in their bytes alone.
        "caf\u00e9.txt", "cafe\u0301.txt", "e\u0301/x.txt", "\u00e9/x.txt",
    ):  # fmt: skip
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())


def deep_directories(root: Path) -> None:
    folder = root / "/".join(f"level{number}" for number in range(40))
    folder.mkdir(parents=True)
    (folder / "bottom.txt").write_bytes(b"deep\n")
    (folder.parent / "bottom.bin").write_bytes(noise(1000, seed=87))


def local_only(root: Path) -> None:
    (root / "link").symlink_to("config.json")
    (root / "weights/broken").symlink_to("nowhere")
    (root / "void/of/nothing").mkdir(parents=True)
    (root / "data/__pycache__").mkdir()
    (root / "data/__pycache__/module.pyc").write_bytes(b"compiled")
    (root / ".config.json.swp").write_bytes(b"swap")
    (root / "weights/.DS_Store").write_bytes(b"finder")
    (root / ".hubfsignore").write_bytes(b"*.tmp\n/private/\n!keep.tmp\n")
    (root / "scratch.tmp").write_bytes(b"scratch")
    (root / "keep.tmp").write_bytes(b"kept")
    (root / "private").mkdir()
    (root / "private/key").write_bytes(b"secret")
    (root / "kept.txt").write_bytes(b"this one goes\n")


def is_local(path: str) -> bool:
    return path.startswith(("void/", "data/__pycache__/", "private/")) or path in {
        ".config.json.swp", "weights/.DS_Store", "scratch.tmp",
    }  # fmt: skip


SCRIPTS = [
    add, modify, change_in_place, append, cut_and_grow, delete, rename_files, rename_over,
    rename_directory, rename_nested, rename_onto_its_old_name, rename_there_and_back,
    delete_directory, replace_file_by_directory, replace_directory_by_another, swap_files,
    swap_directories, swap_file_and_directory, empty_files, strange_names, deep_directories,
    local_only,
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_what_was_done_is_one_commit(judge, script):
    judge.edit(script)
    judge.commit()
    judge.check(is_local=is_local)
    judge.remount()


def test_one_after_the_other_in_one_mount(judge):
    """Each commit begins where the one before has left the workspace."""
    for script in (
        rename_nested, add_again, swap_names, strange_names, delete_everything, add_again
    ):  # fmt: skip
        judge.edit(script)
        judge.commit()
        judge.check()
    judge.remount()


def add_again(root: Path) -> None:
    (root / "weights").mkdir(exist_ok=True)
    add(root)
    (root / "archive").mkdir(exist_ok=True)
    (root / "archive/late.txt").write_bytes(b"late\n")


def swap_names(root: Path) -> None:
    exchange(root / "archive", root / "contents")
    (root / "weights/new.bin").rename(root / "new.txt")


def delete_everything(root: Path) -> None:
    for path in root.iterdir():
        if path.name != ".gitattributes":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def hide_directories(root: Path) -> None:
    """Directories get names that are never published, and something else gets theirs."""
    (root / "weights").rename(root / "__pycache__")
    (root / "weights").write_bytes(b"a file where a directory was\n")
    (root / "__pycache__/readme.txt").unlink()
    (root / "__pycache__/old/log.txt").write_bytes(b"step 2\n")
    (root / "data/train").rename(root / "data/.ipynb_checkpoints")
    (root / "data/train").mkdir()
    (root / "data/train/a.csv").write_bytes(b"another a\n")


def is_hidden(path: str) -> bool:
    return path.startswith(("__pycache__/", "data/.ipynb_checkpoints/"))


def test_a_directory_with_a_name_that_is_never_published_shows_what_it_did(hub, judge):
    judge.edit(hide_directories)
    judge.commit()
    judge.check(is_local=is_hidden)
    # Later commits, and nothing but the Hub's history to find it in.
    judge.edit(rename_files_that_are_left)
    judge.commit()
    judge.check(is_local=is_hidden)
    judge.remount(forgetting=True)
    sent = uploads(hub)
    judge.edit(show_directories)
    judge.commit()
    judge.check()
    assert uploads(hub) == sent
    judge.remount()


def rename_files_that_are_left(root: Path) -> None:
    (root / "weights").rename(root / "w.txt")
    (root / "data/train").rename(root / "data/new")


def show_directories(root: Path) -> None:
    (root / "__pycache__").rename(root / "weights")
    (root / "data/.ipynb_checkpoints/b.csv").rename(root / "b.csv")
    (root / "data/.ipynb_checkpoints").rename(root / "data/train")


def test_what_comes_to_nothing_is_no_commit(judge):
    def script(root: Path) -> None:
        (root / "config.json").write_bytes(START["config.json"])
        (root / "weights/one.bin").write_bytes(START["weights/one.bin"])
        (root / "passing.txt").write_bytes(b"passing\n")
        (root / "passing.txt").unlink()
        (root / "notes.txt").rename(root / "n")
        (root / "n").rename(root / "notes.txt")
        (root / "data").rename(root / "d")
        (root / "d").rename(root / "data")
        os.utime(root / "README.md", (0, 0))
        os.chmod(root / "README.md", 0o600)
        exchange(root / "data/train", root / "data/test")
        exchange(root / "data/train", root / "data/test")
        (root / "nothing").mkdir()

    judge.edit(script)
    assert judge.commit() == ""
    judge.check(commits=0)
    assert judge.commit() == ""
    judge.check(commits=0)
    judge.remount()


# What is fetched and sent.


def uploads(hub) -> int:
    """Requests that brought bytes of LFS objects."""
    endpoints = hub.stats()["endpoints"]
    return endpoints.get("lfs-upload", 0) + endpoints.get("lfs-part", 0)


def test_renamed_and_copied_lfs_files_send_and_fetch_nothing(hub, judge):
    def script(root: Path) -> None:
        rename_directory(root)
        (root / "parameters/one.bin").rename(root / "first.bin")
        run("cp", root / "first.bin", root / "copy.bin")
        run("cp", root / "parameters/two.safetensors", root / "copy of two.safetensors")

    list(judge.mount.path.iterdir())
    hub.reset_stats()
    judge.edit(script)
    judge.commit()
    assert uploads(hub) == 0 and hub.bytes_sent("cdn") == 0
    judge.check()
    judge.remount()


def test_bytes_the_hub_has_are_not_sent_again(hub, judge):
    """Written anew by a program, so that only the LFS batch can tell."""

    def script(root: Path) -> None:
        (root / "same bytes.bin").write_bytes(START["weights/one.bin"])

    judge.edit(script)
    hub.reset_stats()
    judge.commit()
    assert uploads(hub) == 0
    judge.check()


def test_a_deleted_directory_is_one_operation(hub, new_judge):
    names = [f"folder/with a rather long name {number:03}.txt" for number in range(300)]
    judge = new_judge({"keep.txt": b"keep\n"} | {name: name.encode() for name in names})
    judge.edit(lambda root: shutil.rmtree(root / "folder"))
    hub.reset_stats()
    assert judge.commit("-m", "less").startswith("committed 1 change as")
    assert hub.bytes_received() < 2000
    judge.check()


@pytest.mark.alone
def test_a_large_file_is_sent_once_and_only_what_is_missing_is_fetched(hub, new_judge):
    judge = new_judge({"large.bin": LARGE})

    def script(root: Path) -> None:
        with (root / "large.bin").open("r+b") as file:
            file.seek(4 * MEBIBYTE)
            file.write(noise(8 * MEBIBYTE, seed=88))
        (root / "new.dat").write_bytes(noise(20 * MEBIBYTE + 1, seed=89))

    list(judge.mount.path.iterdir())
    hub.reset_stats()
    judge.edit(script)
    assert hub.bytes_sent("cdn") == 0
    judge.commit()
    # Whole blocks are fetched, so at most one more at each end of the edit.
    assert 12 * MEBIBYTE <= hub.bytes_sent("cdn") <= 14 * MEBIBYTE
    sent = hub.bytes_received("lfs")
    assert 40 * MEBIBYTE < sent < 40 * MEBIBYTE + 10_000
    judge.check()
    hub.reset_stats()
    judge.mount.drop_page_cache()
    assert tree(judge.mount.path) == tree(judge.plain)
    assert hub.bytes_sent("cdn", "resolve") == 0
    judge.remount()


def test_two_thousand_small_files(new_judge):
    judge = new_judge({f"old/{number % 20}/{number}.txt": b"%d\n" % number for number in range(600)})

    def script(root: Path) -> None:
        for number in range(1400):
            path = root / f"new/{number % 30}/{number}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'{"n": %d}\n' % number)
        for number in range(600):
            path = root / f"old/{number % 20}/{number}.txt"
            if number % 3 == 0:
                path.unlink()
            else:
                path.write_bytes(b"%d again\n" % number)

    judge.edit(script)
    assert judge.commit().startswith("committed 2000 changes as")
    judge.check()
    judge.remount()


# Edits beside a commit.


def test_a_file_that_is_open_is_committed_as_it_is_at_that_moment(judge):
    handles = [(root / "open.txt").open("wb", buffering=0) for root in roots(judge)]
    for handle in handles:
        handle.write(b"first\n")
    judge.commit("-m", "first")
    judge.check()
    for handle in handles:
        handle.write(b"second\n")
    judge.commit("-m", "second")
    judge.check()
    for handle in handles:
        handle.write(b"third\n")
        handle.close()
    judge.mount.run("umount", judge.mount.path)
    assert judge.mount.wait() == 0
    judge.mount.restart()
    judge.check()


def roots(judge: Judge) -> list[Path]:
    return [judge.mount.path, judge.plain]


class SlowCommit:
    """A `hubfs commit` that is under way, held up at the Hub."""

    def __init__(self, judge: Judge, endpoint: str):
        self.judge = judge
        hub = judge.published.hub
        hub.add_fault("--delay", "1500ms", "--to", endpoint, "--count", 1)
        hub.reset_stats()
        self.output: list[str] = []
        self.thread = threading.Thread(target=lambda: self.output.append(judge.commit()))
        self.thread.start()
        end = time.monotonic() + 60
        while hub.stats()["endpoints"].get(endpoint, 0) == 0:
            assert time.monotonic() < end
            time.sleep(0.02)

    def finish(self) -> None:
        self.thread.join(timeout=60)
        assert self.output and self.output[0].startswith("committed")


def edits_under_way(root: Path) -> None:
    """What programs do while a commit of everything below is sent."""
    (root / "config.json").write_bytes(b"edited again\n")
    (root / "fresh/replaced.tmp").write_bytes(b"replaced\n")
    (root / "fresh/replaced.tmp").rename(root / "fresh/replaced.txt")
    (root / "fresh/gone.bin").unlink()
    with (root / "fresh/appended.bin").open("ab") as file:
        file.write(b"more")
    (root / "fresh/renamed.txt").rename(root / "fresh/new name.txt")
    os.truncate(root / "fresh/cut.txt", 3)
    (root / "weights").rename(root / "moved meanwhile")
    shutil.rmtree(root / "doomed")
    (root / "during.txt").write_bytes(b"made during the commit\n")


def edits_before(root: Path) -> None:
    (root / "config.json").write_bytes(b"edited\n")
    (root / "weights/readme.txt").write_bytes(b"edited\n")
    (root / "fresh").mkdir()
    for name in ("replaced.txt", "renamed.txt", "cut.txt"):
        (root / "fresh" / name).write_bytes(name.encode())
    for name in ("gone.bin", "appended.bin"):
        (root / "fresh" / name).write_bytes(noise(100_000, seed=len(name)))
    (root / "doomed/below").mkdir(parents=True)
    for number in range(100):
        (root / f"doomed/below/{number}.txt").write_bytes(b"%d\n" % number)


@pytest.mark.parametrize("endpoint", ["preupload", "lfs-batch", "lfs-upload", "commit", "paths-info"])
def test_edits_during_a_commit_are_in_the_next_one(judge, endpoint):
    judge.edit(edits_before)
    commit = SlowCommit(judge, endpoint)
    sealed = tree(judge.plain)
    edits_under_way(judge.mount.path)
    # What an fsync gives back to the disk must not be what the commit still reads.
    os.sync()
    with (judge.mount.path / "during.txt").open("rb") as file:
        os.fsync(file)
    commit.finish()
    with judge.scratch() as folder:
        wanted = {path: entry for path, entry in sealed.items() if entry != "directory"}
        assert judge.published.snapshot(folder / "snapshot") == wanted
    edits_under_way(judge.plain)
    assert tree(judge.mount.path) == tree(judge.plain)
    judge.commit("-m", "the rest")
    judge.check(commits=2)
    judge.remount()


def test_writers_that_never_stop_do_not_hold_up_a_commit(judge):
    """Each commit has some whole state of each file: writes are answered all the time."""
    stop = threading.Event()
    written = [0, 0, 0]

    def write(lane: int) -> None:
        with (judge.mount.path / f"lane-{lane}.log").open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"%06d\n" % written[lane])
                written[lane] += 1

    threads = [threading.Thread(target=write, args=(lane,)) for lane in range(len(written))]
    for thread in threads:
        thread.start()
    try:
        for number in range(6):
            before = list(written)
            judge.commit("-m", f"commit {number}")
            for lane, least in enumerate(before):
                lines = judge.published.git.blob(f"lane-{lane}.log")
                assert len(lines) >= 7 * (least - 1)
                whole = b"".join(b"%06d\n" % line for line in range(len(lines) // 7 + 1))
                assert whole.startswith(lines)
                # The kernel sends what it has not read page by page: a commit can come between.
                assert len(lines) % 7 == 0 or len(lines) % 4096 == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=60)
    for lane, count in enumerate(written):
        lines = b"".join(b"%06d\n" % line for line in range(count))
        (judge.plain / f"lane-{lane}.log").write_bytes(lines)
    judge.commit("-m", "the last lines")
    judge.check(commits=7)
    judge.remount()


def test_a_mounted_directory_commits_its_own_paths(
    hub, import_repo, new_editable_mount, write_token, tmp_path
):
    published = Published(hub, import_repo(START), write_token)
    mount = new_editable_mount(f"hf://{published.id}/weights", "-w")
    (mount.path / "old").rename(mount.path / "older")
    (mount.path / "one.bin").write_bytes(b"one")
    (mount.path / "readme.txt").unlink()
    before = published.snapshot(tmp_path / "before")
    mount.run("commit", mount.path)
    wanted = {path: entry for path, entry in before.items() if not path.startswith("weights/")}
    shown = tree(mount.path)
    wanted |= {f"weights/{path}": entry for path, entry in shown.items() if entry != "directory"}
    assert published.snapshot(tmp_path / "after") == wanted
    assert set(shown) == {"one.bin", "two.safetensors", "older", "older/first.bin", "older/log.txt"}
    assert mount.unmount() == 0
