"""`.hubfs` in the root of a mount: what the commands show, as files."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess

import program
import pytest
from conftest import FILES

NAMES = {"status.json", "stats", "errors", "log"}


def errno_of(operation) -> int | None:
    try:
        operation()
    except OSError as error:
        return error.errno
    return None


def test_its_files_show_what_the_commands_show(hub, hubfs):
    path = hubfs.mount("lab/sample")
    folder = path / ".hubfs"
    (path / "config.json").read_bytes()
    names = ["pid", "source", "commit", "mountPoint", "requests", "cache"]

    def are_equal() -> bool:
        status = json.loads((folder / "status.json").read_text())
        asked = hubfs.status(path)
        return [status[name] for name in names] == [asked[name] for name in names]

    # What was read is written to the cache by and by, also between the two questions.
    program.wait_until(are_equal)
    assert f"{path}, hf://models/lab/sample" in (folder / "stats").read_text()
    assert " notice mounted " in (folder / "log").read_text()
    assert (folder / "errors").read_text() == ""
    hub.add_fault("--status", 403, "--class", "resolve")
    with pytest.raises(PermissionError):
        (path / "weights.safetensors").read_bytes()
    assert "weights.safetensors" in (folder / "errors").read_text()


def test_it_is_found_and_not_listed(hubfs):
    path = hubfs.mount("lab/sample")
    assert ".hubfs" not in os.listdir(path)
    assert {entry.name for entry in os.scandir(path / ".hubfs")} == NAMES
    found = subprocess.run(
        ["find", path, "-name", "*hubfs*"], capture_output=True, text=True, timeout=60, check=True
    )
    assert ".hubfs" not in found.stdout
    assert (path / ".hubfs").is_dir() and not (path / "onnx" / ".hubfs").exists()
    assert not (path / ".hubfs" / "other").exists()


def test_it_belongs_to_who_mounted(hubfs):
    path = hubfs.mount("lab/sample", "--uid", 4321, "--gid", 1234)
    for name, mode in [("", 0o40500), ("status.json", 0o100400)]:
        status = (path / ".hubfs" / name).stat()
        assert (status.st_uid, status.st_gid, status.st_mode) == (4321, 1234, mode)


def test_an_open_file_shows_one_moment(hubfs):
    path = hubfs.mount("lab/sample")
    with (path / ".hubfs" / "status.json").open("rb", buffering=0) as file:
        first = file.read()
        (path / "weights.safetensors").read_bytes()
        file.seek(0)
        assert file.read() == first
    later = json.loads((path / ".hubfs" / "status.json").read_text())
    assert later["requests"]["cdn"] > json.loads(first)["requests"]["cdn"]


def test_nothing_in_it_can_be_changed_on_a_writable_mount(editor, repo, git):
    path = editor.mount(repo, "-w")
    folder = path / ".hubfs"
    assert stat.S_ISDIR(folder.stat().st_mode)
    refusals = [
        lambda: (folder / "new").write_text(""),
        lambda: (folder / "new").mkdir(),
        lambda: (folder / "log").unlink(),
        lambda: (folder / "log").write_text(""),
        lambda: os.truncate(folder / "log", 0),
        lambda: os.chmod(folder / "log", 0o666),
        lambda: os.rename(folder / "log", path / "log"),
        lambda: os.rename(path / "config.json", folder / "config.json"),
        lambda: os.symlink("target", folder / "link"),
        lambda: os.setxattr(folder / "log", "user.a", b"b"),
        lambda: folder.rmdir(),
        lambda: os.rename(folder, path / "other"),
        lambda: os.rename(path / "data", folder),
    ]
    assert [errno_of(refusal) for refusal in refusals] == [errno.EROFS] * len(refusals)
    assert errno_of(folder.mkdir) == errno.EEXIST
    (path / "copy.json").write_bytes((folder / "status.json").read_bytes())
    assert json.loads((folder / "status.json").read_text())["edits"] is not None
    editor.succeed("umount", path)
    assert "copy.json" in git.files() and ".hubfs" not in " ".join(git.files())


def test_a_repo_that_has_the_name_keeps_it(hub, editor, tmp_path):
    folder = tmp_path / "named"
    (folder / ".hubfs").mkdir(parents=True)
    (folder / ".hubfs" / "mine.txt").write_text("mine\n")
    hub.run("import", "--root", hub.root, "lab/named", folder)
    for options in [(), ("-w",)]:
        path = editor.mount("lab/named", *options)
        assert os.listdir(path / ".hubfs") == ["mine.txt"]
        assert (path / ".hubfs" / "mine.txt").read_text() == "mine\n"
        assert not (path / ".hubfs" / "status.json").exists()
    (path / ".hubfs" / "more.txt").write_text("more\n")
    (path / ".hubfs" / "mine.txt").unlink()
    assert os.listdir(path / ".hubfs") == ["more.txt"]


def test_the_whole_hubs_tree_has_it_too(hubfs):
    path = hubfs.mount("hf://")
    assert json.loads((path / ".hubfs" / "status.json").read_text())["source"] == "hf://"
    assert ".hubfs" not in os.listdir(path)


def test_it_tells_when_the_hub_does_not_answer(hub, hubfs):
    path = hubfs.mount("lab/sample")
    hub.add_fault("--status", 503)
    assert json.loads((path / ".hubfs" / "status.json").read_text())["pid"] > 0
    assert (path / ".hubfs" / "stats").read_text()


def test_many_read_at_once(hubfs):
    path = hubfs.mount("lab/sample")
    readers = [
        subprocess.Popen(["cat", path / ".hubfs" / "status.json"], stdout=subprocess.PIPE)
        for _ in range(40)
    ]
    for reader in readers:
        out, _ = reader.communicate(timeout=60)
        assert json.loads(out)["mountPoint"] == str(path)
    assert (path / "config.json").read_bytes() == FILES["config.json"]
