"""What is edited: `hubfs status DIR`, `hubfs diff`, `hubfs commit --dry-run`."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess

import program
import pytest
from conftest import FILES_TO_EDIT, LINES
from samples import MEBIBYTE, noise


def edits(hubfs, path) -> dict:
    return hubfs.status(path)["edits"]


def changes(hubfs, path) -> dict[str, str]:
    """Path to kind."""
    return {change["path"]: change["kind"] for change in edits(hubfs, path)["changes"]}


@pytest.fixture
def mount(editor, repo):
    return editor.mount(repo, "-w", "--commit", "manual")


def test_nothing_is_edited_at_first(editor, git, mount):
    report = edits(editor, mount)
    assert report["changes"] == [] and report["localOnly"] == []
    assert report["uploadBytes"] == report["neededBytes"] == 0
    assert report["base"] == git.rev()
    assert "edits: none" in editor.succeed("status", mount)
    assert editor.succeed("diff", mount) == ""
    assert "nothing to commit" in editor.succeed("commit", "--dry-run", mount)


def test_each_kind_of_edit_has_its_sign(editor, git, mount):
    (mount / "new.txt").write_text("new\n")
    (mount / "config.json").write_text("{}\n")
    (mount / "data/a.txt").unlink()
    (mount / "weights.bin").rename(mount / "data/model.bin")
    assert changes(editor, mount) == {
        "config.json": "modified",
        "data/a.txt": "deleted",
        "data/model.bin": "renamed",
        "new.txt": "added",
    }
    text = editor.succeed("status", mount)
    assert "+ new.txt (4 B)" in text
    assert "~ config.json (3 B, was 25 B)" in text
    assert "- data/a.txt" in text
    assert "> weights.bin -> data/model.bin" in text
    # An LFS object of another name is not sent again.
    assert edits(editor, mount)["uploadBytes"] == len("new\n") + len("{}\n")
    assert git.rev() == edits(editor, mount)["base"]


def test_a_renamed_folder_is_spelt_out(editor, mount):
    (mount / "data").rename(mount / "moved")
    assert changes(editor, mount) == {
        "moved/a.txt": "renamed", "moved/b.txt": "renamed", "moved/deep/c.txt": "renamed",
    }
    (mount / "moved/b.txt").unlink()
    assert changes(editor, mount) == {
        "moved/a.txt": "renamed", "data/b.txt": "deleted", "moved/deep/c.txt": "renamed",
    }


def test_a_removed_folder_is_spelt_out(editor, mount):
    subprocess.run(["rm", "-r", mount / "data"], check=True, timeout=30)
    assert changes(editor, mount) == {
        "data/a.txt": "deleted", "data/b.txt": "deleted", "data/deep/c.txt": "deleted",
    }


def test_what_stays_here_is_named_with_its_reason(editor, mount):
    (mount / "empty").mkdir()
    (mount / "link").symlink_to("config.json")
    (mount / "__pycache__").mkdir()
    (mount / "__pycache__/x.pyc").write_bytes(b"x")
    (mount / "back\\slash").write_bytes(b"x")
    groups = {item["path"]: item["group"] for item in edits(editor, mount)["localOnly"]}
    assert groups == {
        "__pycache__": "ignored",
        "back\\slash": "unpublishable",
        "empty": "localOnly",
        "link": "localOnly",
    }
    text = editor.succeed("status", mount)
    assert "back\\slash (cannot be published: the name contains a backslash)" in text


def test_what_must_be_downloaded_is_told(editor, mount):
    with (mount / "weights.bin").open("r+b") as file:
        file.seek(5 * MEBIBYTE)
        file.write(b"four")
    report = edits(editor, mount)
    assert report["uploadBytes"] == 11 * MEBIBYTE
    assert report["neededBytes"] == 11 * MEBIBYTE - 4


def test_a_list_longer_than_a_line_arrives_whole(editor, mount):
    names = {f"many/{number:04}-{'x' * 180}.txt" for number in range(1000)}
    (mount / "many").mkdir()
    for name in names:
        (mount / name).write_bytes(b"1")
    assert set(changes(editor, mount)) == names


def test_the_last_commit_is_told(hub, editor, git, mount):
    assert edits(editor, mount)["lastCommit"] is None
    (mount / "new.txt").write_text("new\n")
    editor.succeed("commit", mount)
    assert edits(editor, mount)["lastCommit"]["commit"] == git.rev()
    assert edits(editor, mount)["changes"] == []
    assert f"{git.rev()}, 1 change" in editor.succeed("status", mount)


def test_the_difference_is_what_git_applies(editor, mount, tmp_path):
    (mount / "notes.txt").write_text("".join(LINES[:4] + ["between\n"] + LINES[4:20] + LINES[22:]))
    (mount / "config.json").unlink()
    (mount / "new").mkdir()
    (mount / "new/file.txt").write_text("no newline at the end")
    (mount / "data/a.txt").rename(mount / 'a "quoted" name.txt')
    patch = editor.succeed("diff", mount)
    folder = tmp_path / "plain"
    for path, data in FILES_TO_EDIT.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    subprocess.run(
        ["git", "apply", "-"], cwd=folder, input=patch, text=True, check=True, timeout=30
    )
    applied = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    }
    mounted = {
        str(path.relative_to(mount)): path.read_bytes()
        for path in mount.rglob("*") if path.is_file()
    }
    # What localhub adds to every new repo.
    del mounted[".gitattributes"]
    assert applied == mounted


def test_of_bytes_that_are_no_text_the_names_are_shown(editor, mount):
    old, new = FILES_TO_EDIT["weights.bin"], noise(2 * MEBIBYTE, seed=8)
    (mount / "weights.bin").write_bytes(new)
    patch = editor.succeed("diff", mount)
    assert f"was {len(old)} bytes, {hashlib.sha256(old).hexdigest()}" in patch
    assert f"now {len(new)} bytes, {hashlib.sha256(new).hexdigest()}" in patch


def test_paths_choose_what_is_compared(editor, mount):
    for path in ["notes.txt", "data/a.txt", "data/b.txt", "data-2.txt"]:
        (mount / path).write_text("other\n")
    names = lambda *paths: editor.succeed("diff", "--name-only", mount, *paths).split()
    assert names() == ["data-2.txt", "data/a.txt", "data/b.txt", "notes.txt"]
    assert names("data") == ["data/a.txt", "data/b.txt"]
    assert names(mount / "data", "notes.txt") == ["data/a.txt", "data/b.txt", "notes.txt"]
    assert names("nothing") == []
    assert "not in" in editor.fail(program.USAGE, "diff", mount, "../other")
    assert "not in" in editor.fail(program.USAGE, "diff", mount, "/etc/passwd")


def test_the_difference_in_short_and_for_scripts(editor, mount):
    (mount / "notes.txt").write_text("".join(LINES[1:]) + "last\n")
    (mount / "config.json").write_bytes(b"\x00")
    stat = editor.succeed("diff", "--stat", mount).splitlines()
    assert [line.split() for line in stat] == [
        ["config.json", "25", "B", "->", "1", "B"], ["notes.txt", "+1", "-1"],
    ]
    config, notes = editor.json("diff", mount)["files"]
    assert (notes["addedLines"], notes["removedLines"]) == (1, 1)
    assert notes["hunks"].startswith("@@ -1,4 +1,3 @@\n-line 1\n")
    assert (config["kind"], config["hunks"], config["oldSize"], config["newSize"]) == (
        "modified", None, 25, 1,
    )
    blob = hashlib.sha1(b"blob 1\0\x00").hexdigest()
    assert config["newContent"] == blob


def test_a_text_longer_than_a_line_arrives_whole(editor, mount):
    line = "\x01é" * 150_000
    (mount / "notes.txt").write_text(line)
    [file] = editor.json("diff", mount, "notes.txt")["files"]
    assert f"+{line}\n\\ No newline" in file["hunks"]


def test_no_line_of_an_answer_is_longer_than_agreed(editor, mount):
    """Sources/hubfs/Control/ControlProtocol.swift: 64 KiB, however long the list or the text."""
    (mount / "notes.txt").write_text("\x01" * 400_000)
    deep = mount / "/".join(["\x02" * 250] * 12)
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"1")
    [control] = editor.sockets()
    for question in ('"ask":"edits"', '"ask":"diff","paths":[],"text":true'):
        lines = answer(control, '{"hubfs":1,' + question + "}\n")
        assert len(lines) > 1 and max(map(len, lines)) <= 65536
        assert "sums" in json.loads(lines[-1])


def answer(control, question: str) -> list[bytes]:
    """Every line a daemon answers with."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        folder = os.open(control.parent, os.O_RDONLY)
        try:
            peer.connect(f"/proc/self/fd/{folder}/{control.name}")
        finally:
            os.close(folder)
        peer.sendall(question.encode())
        return peer.makefile("rb").read().splitlines()


def test_a_dry_run_changes_nothing(hub, editor, git, mount):
    (mount / "new.txt").write_text("new\n")
    (mount / "config.json").write_text("{}\n")
    before = git.rev()
    text = editor.succeed("commit", "--dry-run", mount)
    assert "+ new.txt" in text and "~ config.json" in text
    assert f"would commit 2 files, 7 B to upload, on top of {before}" in text
    assert git.rev() == before
    assert len(changes(editor, mount)) == 2


def test_a_list_that_needs_a_hub_that_fails_says_so(hub, editor, mount):
    (mount / "data/deep").rename(mount / "deep")
    hub.add_fault("--status", 403, "--class", "api")
    done = editor.run("status", mount)
    # The listing was never needed before: whatever the list says, the rest is shown.
    assert str(mount) in done.stdout and "workspace" in done.stdout
    assert done.returncode == program.ACCESS_REFUSED
    assert "the edits cannot be listed now" in done.stderr


def test_a_mount_that_is_read_only_has_no_edits(editor, repo):
    path = editor.mount(repo)
    assert editor.status(path)["edits"] is None
    assert "mounted read only" in editor.fail(program.USAGE, "diff", path)
    assert "mounted read only" in editor.fail(program.USAGE, "commit", "--dry-run", path)
