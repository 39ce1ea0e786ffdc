"""`hubfs discard`, seen by programs that use the mount."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from mounting import binary
from published import Judge, Published, tree
from samples import noise

BUSY, USAGE = 8, 2
START = {
    "config.json": b"{}\n",
    "notes.txt": b"first\n",
    "weights/one.bin": noise(200_000, seed=91),
    "weights/two.bin": noise(100_000, seed=92),
    "data/a.csv": b"a\n",
    "data/b.csv": b"b\n",
}


@pytest.fixture
def judge(hub, import_repo, new_editable_mount, write_token, tmp_path) -> Judge:
    published = Published(hub, import_repo(START), write_token)
    return Judge(published, new_editable_mount(f"hf://{published.id}", "-w"), tmp_path)


def edit(root) -> None:
    (root / "config.json").write_bytes(b'{"layers": 2}\n')
    with (root / "weights/one.bin").open("r+b") as file:
        file.write(b"over")
    (root / "weights/two.bin").unlink()
    (root / "data").rename(root / "tables")
    (root / "tables/a.csv").write_bytes(b"edited\n")
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/file.txt").write_bytes(b"new\n")
    (root / "link").symlink_to("notes.txt")


def test_the_named_paths_are_the_bases_again_and_no_other(judge):
    before = tree(judge.plain)
    judge.edit(edit)
    mount = judge.mount
    mount.run("discard", "--yes", mount.path, mount.path / "weights", mount.path / "new")
    for name in ("one.bin", "two.bin"):
        (judge.plain / "weights" / name).write_bytes(START[f"weights/{name}"])
    shutil.rmtree(judge.plain / "new")
    assert tree(mount.path) == tree(judge.plain)
    judge.commit()
    judge.check()
    judge.edit(edit_again)
    committed = tree(judge.plain)
    mount.run("discard", "--yes", mount.path)
    (judge.plain / "notes.txt").write_bytes(START["notes.txt"])
    (judge.plain / "later").unlink()
    (judge.plain / "link").unlink()
    assert tree(mount.path) == tree(judge.plain) != committed != before
    assert judge.commit() == ""
    judge.check(commits=0)
    judge.remount()


def edit_again(root) -> None:
    (root / "notes.txt").write_bytes(b"second\n")
    (root / "later").write_bytes(b"later\n")


def test_a_reader_keeps_its_bytes_and_a_writer_keeps_everything(judge):
    path = judge.mount.path / "notes.txt"
    path.write_bytes(b"mine\n")
    with path.open("r+b", buffering=0) as writer:
        done = judge.mount.run("discard", "--yes", judge.mount.path, check=False)
        assert done.returncode == BUSY and "notes.txt" in done.stderr
        writer.write(b"MINE")
    assert path.read_bytes() == b"MINE\n"
    with path.open("rb") as reader:
        judge.mount.run("discard", "--yes", judge.mount.path)
        assert reader.read() == b"MINE\n"
        assert path.read_bytes() == START["notes.txt"]
        assert os.fstat(reader.fileno()).st_ino != path.stat().st_ino
    judge.check(commits=0)


def test_a_name_that_is_not_utf8_is_not_taken_for_another(judge):
    """As a text it is the name of the other."""
    folder = judge.mount.path / "data"
    bare, twin = os.fsencode(folder) + b"/caf\xe9", folder / "caf\ufffd"
    for path in (bare, twin):
        with open(path, "wb") as file:
            file.write(b"new\n")
    for command in (("discard", "--yes"), ("commit",), ("diff",)):
        words = [os.fsencode(binary()), command[0].encode(), os.fsencode(judge.mount.path), bare]
        done = subprocess.run(
            words + [word.encode() for word in command[1:]], env=judge.mount.environment,
            capture_output=True, timeout=60, check=False)
        assert done.returncode == USAGE and b"is not UTF-8" in done.stderr, done.stderr
    assert twin.read_bytes() == b"new\n" and os.path.exists(bare)
    judge.mount.run("discard", "--yes", judge.mount.path, twin)
    assert not twin.exists() and os.path.exists(bare)
    judge.mount.run("discard", "--yes", judge.mount.path, folder)
    assert not os.path.exists(bare)
