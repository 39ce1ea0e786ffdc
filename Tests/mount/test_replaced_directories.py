"""Directories that something else replaces here, while others work in them."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from published import Judge, Published, content, exchange, files, tree
from samples import noise

START = {
    "config.json": b'{"layers": 12}\n',
    "run/a.txt": b"a\n",
    "run/b.txt": b"b\n",
    "run/deep/c.bin": noise(70_000, seed=91),
    "other/d.txt": b"d\n",
    "other/e.txt": b"e\n",
}
CONFLICT = 13
ASIDE = ".hubfs-ours"


@pytest.fixture
def judge(hub, import_repo, new_editable_mount, write_token, tmp_path) -> Judge:
    published = Published(hub, import_repo(START), write_token)
    mount = new_editable_mount(f"hf://{published.id}", "-w", "--commit", "manual")
    return Judge(published, mount, tmp_path)


# What is done here.


def by_a_file(root: Path) -> None:
    shutil.rmtree(root / "run")
    (root / "run").write_bytes(b"a file\n")


def by_a_link(root: Path) -> None:
    shutil.rmtree(root / "run")
    (root / "run").symlink_to("other")


def by_a_new_directory(root: Path) -> None:
    shutil.rmtree(root / "run")
    (root / "run").mkdir()
    (root / "run/a.txt").write_bytes(b"another a\n")
    (root / "run/mine.txt").write_bytes(b"mine\n")


def by_an_empty_directory(root: Path) -> None:
    shutil.rmtree(root / "run")
    (root / "run").mkdir()


def by_another(root: Path) -> None:
    shutil.rmtree(root / "run")
    os.rename(root / "other", root / "run")


def by_each_other(root: Path) -> None:
    exchange(root / "run", root / "other")


def by_a_file_and_back(root: Path) -> None:
    exchange(root / "run", root / "config.json")


def below_a_file(root: Path) -> None:
    (root / "config.json").unlink()
    (root / "config.json").mkdir()
    (root / "config.json/inside.txt").write_bytes(b"inside\n")


# What others do.

FOREIGN = {
    "added": {"run/new.txt": b"new\n"},
    "added deep": {"run/deeper/new.txt": b"new\n"},
    "changed": {"run/a.txt": b"their a\n"},
    "changed deep": {"run/deep/c.bin": noise(80_000, seed=92)},
    "removed": {"run/a.txt": None},
    "removed whole": {path: None for path in START if path.startswith("run/")},
    "both": {"run/b.txt": b"their b\n", "config.json": b"their config\n", "other/d.txt": b"their d\n"},
    "turned": {"run/": None, "run": b"their file\n"},
}

EDITS = [
    by_a_file, by_a_link, by_a_new_directory, by_an_empty_directory, by_another, by_each_other,
    by_a_file_and_back, below_a_file,
]  # fmt: skip
WAYS = ["pull", "part", "commit"]
# Each edit beside each foreign change, met in one way or another.
PAIRS = list(itertools.product(EDITS, FOREIGN))
# What stays here alone is in front of theirs, and wins nothing: see test_in_the_way.
NOT_AT_THE_HUB = {(by_a_link, "turned"), (by_an_empty_directory, "turned")}


def cases(first_way: int, but: set = frozenset()):
    return pytest.mark.parametrize(
        "edit, foreign, how",
        [
            (*pair, WAYS[(number + first_way) % len(WAYS)])
            for number, pair in enumerate(PAIRS)
            if pair not in but
        ],
    )


def push(published: Published, changes: dict[str, bytes | None]) -> None:
    published.api.create_commit(
        published.id,
        [
            CommitOperationDelete(path) if data is None else CommitOperationAdd(path, data)
            for path, data in changes.items()
        ],
        commit_message="foreign",
    )


def merged(
    plain: Path, theirs: dict[str, bytes | None], how: str
) -> dict[str, tuple[str, int]]:
    """Ours where it was edited, theirs elsewhere. Where theirs is met before the commit of a folder
    that replaces theirs, what they added in it is in conflict."""
    start = {path: content(data) for path, data in START.items()}
    ours = files(tree(plain), lambda path: path == ".gitattributes")
    wanted = dict(ours)
    if theirs.keys() >= {"run/"}:
        theirs = {**dict.fromkeys(path for path in START if path.startswith("run/")), **theirs}
    for path, data in theirs.items():
        if ours.get(path) != start.get(path):
            continue
        wanted.pop(path, None)
        above = [plain / parent for parent in Path(path).parents]
        is_covered = any(os.path.lexists(place) and not is_directory(place) for place in above)
        is_gone = any(
            (how == "part" and not is_original(plain, parent) or not is_directory(plain / parent))
            and any(name.startswith(f"{parent}/") for name in START)
            for parent in Path(path).parents[:-1]
        )
        is_folder = any(name.startswith(path + "/") for name in wanted)
        if data is not None and not is_covered and not is_gone and not is_folder:
            wanted[path] = content(data)
    return wanted


def is_original(plain: Path, folder: Path) -> bool:
    """Whether a folder still has something that it had."""
    return any(
        name.startswith(f"{folder}/")
        and (plain / name).is_file() and content((plain / name).read_bytes()) == content(data)
        for name, data in START.items()
    )  # fmt: skip


def is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def at_hub(published: Published, folder: Path) -> dict[str, tuple[str, int]]:
    found = published.snapshot(folder)
    found.pop(".gitattributes", None)
    return found


def conflicts(mount) -> set[str]:
    status = json.loads(mount.run("status", "--json", mount.path).stdout)
    return {conflict["path"] for conflict in status["mounts"][0]["edits"]["conflicts"]}


def again(mount) -> None:
    mount.run("umount", "--no-commit", mount.path, check=False)
    mount.wait()
    mount.restart()


def move(judge: Judge, how: str) -> None:
    """Meets what others did: by a pull, or by a commit of something else."""
    if how == "pull":
        judge.mount.run("pull", judge.mount.path, check=False)
    elif how == "part":
        (judge.mount.path / "fresh.txt").write_bytes(b"fresh\n")
        (judge.plain / "fresh.txt").write_bytes(b"fresh\n")
        judge.mount.run("commit", judge.mount.path, judge.mount.path / "fresh.txt")
    else:
        judge.mount.run("commit", judge.mount.path, check=False)


@cases(0, but=NOT_AT_THE_HUB)
def test_ours_over_theirs(judge, edit, foreign, how, tmp_path):
    judge.edit(edit)
    shown = tree(judge.plain)
    push(judge.published, FOREIGN[foreign])
    move(judge, how)
    again(judge.mount)
    judge.mount.run("commit", judge.mount.path, "--on-conflict", "ours", "-m", "ours")
    assert conflicts(judge.mount) == set()
    wanted = merged(judge.plain, FOREIGN[foreign], how)
    assert at_hub(judge.published, tmp_path / "look") == wanted
    for _ in range(2):
        now = tree(judge.mount.path)
        assert files(now, lambda path: path == ".gitattributes") == wanted
        for path, entry in shown.items():
            assert not str(entry).startswith("link") or now[path] == entry
        again(judge.mount)


@cases(1)
def test_theirs_over_ours(judge, edit, foreign, how, tmp_path):
    judge.edit(edit)
    ours = {entry for entry in files(tree(judge.plain), lambda path: False).values()}
    push(judge.published, FOREIGN[foreign])
    move(judge, how)
    judge.mount.run("resolve", judge.mount.path, "--theirs", check=False)
    again(judge.mount)
    assert conflicts(judge.mount) == set()
    theirs = at_hub(judge.published, tmp_path / "theirs")
    judge.mount.run("commit", judge.mount.path, "-m", "what is left")
    found = at_hub(judge.published, tmp_path / "look")
    for path, data in FOREIGN[foreign].items():
        if how != "commit" and data is not None and path in theirs:
            assert path in found, "what others did is lost"
    for _ in range(2):
        now = files(tree(judge.mount.path), lambda path: path == ".gitattributes")
        assert {path: entry for path, entry in now.items() if ASIDE not in path} == found
        # Each of our files is somewhere still, unless they changed or removed what was no edit.
        theirs_now = {
            content(data)
            for path, data in START.items()
            if path in FOREIGN[foreign] or any(path.startswith(name) for name in FOREIGN[foreign])
        }
        kept = set(tree(judge.mount.path).values())
        assert ours - kept <= theirs_now
        again(judge.mount)
