"""Several volumes at once: `hubfs mount -v` and `--volumes`, and `hubfs umount` of several."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import mounting
import program
import pytest
from conftest import FILES, FILES_TO_EDIT


def volumes_file(hubfs, value) -> str:
    path = hubfs.folder / "volumes.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


@pytest.fixture
def dataset(hub, tmp_path) -> str:
    folder = tmp_path / "dataset"
    (folder / "train").mkdir(parents=True)
    (folder / "train/part.csv").write_bytes(b"a,b\n")
    hub.run("import", "--root", hub.root, "lab/rows", folder, "--type", "dataset")
    return "lab/rows"


def test_several_volumes_are_mounted_read_only(hubfs, dataset):
    first, second = hubfs.mount_point(), hubfs.mount_point()
    done = hubfs.run(
        "mount", "-v", f"hf://lab/sample@main/onnx:{first}",
        "--volume", f"hf://datasets/{dataset}:{second}:ro",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(os.listdir(first)) == ["model.onnx", "notes.txt"]
    assert (second / "train/part.csv").read_bytes() == b"a,b\n"
    with pytest.raises(OSError, match="Read-only"):
        (second / "new").touch()
    assert hubfs.status(first)["pid"] != hubfs.status(second)["pid"]
    hubfs.succeed("umount", first, second)
    assert not program.is_mounted(first) and not program.is_mounted(second)


def test_the_hubs_own_list_is_taken(editor, dataset, repo, git):
    first, second = editor.mount_point(), editor.mount_point()
    # As huggingface_hub's Volume.to_dict() has them.
    from huggingface_hub import Volume

    volumes = [
        Volume(type="dataset", source=dataset, mount_path=str(first), path="train", read_only=True),
        Volume(type="model", source=repo, mount_path=str(second), revision="main", read_only=False),
    ]
    editor.succeed(
        "mount", "--volumes", volumes_file(editor, [volume.to_dict() for volume in volumes]),
        "-o", "uid=1234",
    )
    assert os.listdir(first) == ["part.csv"]
    assert os.stat(first / "part.csv").st_uid == 1234
    (second / "new.txt").write_text("new\n")
    editor.succeed("umount", second, first)
    assert git.blob("new.txt") == b"new\n"


def test_a_list_may_be_the_member_of_an_object(hubfs):
    path = hubfs.mount_point()
    value = {"volumes": [{"source": "lab/sample", "mountPath": str(path)}], "other": 1}
    hubfs.succeed("mount", "--volumes", volumes_file(hubfs, value))
    assert (path / "config.json").read_bytes() == FILES["config.json"]


def test_a_volume_that_fails_takes_the_others_with_it(hubfs):
    first, second = hubfs.mount_point(), hubfs.mount_point()
    before = len(hubfs.sockets())
    message = hubfs.fail(
        program.NOT_FOUND, "mount", "-v", f"hf://lab/sample:{first}",
        "-v", f"hf://lab/none:{second}",
    )
    assert f"hf://models/lab/none:{second}" in message and "unmounted again" in message
    assert not program.is_mounted(first) and not program.is_mounted(second)
    assert len(hubfs.sockets()) == before


def test_what_an_earlier_mount_has_left_is_not_committed_then(editor, repo, git):
    path, other = editor.mount_point(), editor.mount_point()
    editor.succeed("mount", "-w", repo, path)
    (path / "new.txt").write_text("new\n")
    editor.succeed("umount", "--no-commit", path)
    before = git.rev()
    editor.fail(
        program.NOT_FOUND, "mount", "-v", f"hf://{repo}:{path}:rw", "-v", f"hf://lab/none:{other}"
    )
    assert git.rev() == before
    [workspace] = editor.json("recover")["workspaces"]
    assert workspace["edits"] == 1 and workspace["user"] is None


def test_a_directory_in_a_volume_is_mounted_after_it(hubfs, dataset):
    path = hubfs.mount_point()
    hubfs.succeed(
        "mount", "-v", f"hf://datasets/{dataset}:{path}/onnx", "-v", f"hf://lab/sample:{path}"
    )
    assert "train" in os.listdir(path / "onnx")
    assert (path / "config.json").read_bytes() == FILES["config.json"]
    # Given in the order they are mounted in, they can be taken away in the other.
    hubfs.succeed("umount", path / "onnx", path)
    assert not program.is_mounted(path)


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        ("lab/sample:/mnt", "begin with hf://"),
        ("hf://lab/sample", "where to mount"),
        ("hf://lab/sample:mnt", "where to mount"),
        ("hf://lab/sample:/", "below /"),
        ("hf://lab/sample:/mnt/../etc", "'..'"),
        ("hf://lab/sample:/mnt:rx", "mkdir"),
        ("hf://buckets/lab/b@v1:/mnt", "no revisions"),
        ("hf://model/lab/sample:/mnt", "plural"),
        ("hf://sample:/mnt", "namespace"),
    ],
)
def test_a_volume_that_is_none(hubfs, volume, reason):
    done = hubfs.run("mount", "-v", volume)
    assert done.returncode in (program.USAGE, program.MOUNT_POINT) and reason in done.stderr


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nonsense", "no JSON list"),
        ({"a": 1}, "no JSON list"),
        ([], "no volumes"),
        (["x"], "volume 1: it is no object"),
        ([{"source": "a/b"}], "'mountPath' is missing"),
        ([{"mountPath": "/mnt"}], "'source' is missing"),
        ([{"type": "bucket", "source": "a/b", "mountPath": "/m", "revision": "v1"}], "a bucket has none"),
        ([{"type": "kernel", "source": "a/b", "mountPath": "/mnt"}], "'kernel' is none of"),
        ([{"source": "a/b@v1", "mountPath": "/mnt"}], "'revision'"),
        ([{"source": "a/b", "mountPath": "/mnt", "readOnly": "no"}], "neither true nor false"),
        ([{"source": "a/b", "mountPath": "/mnt", "path": "a/../b"}], "no folder"),
        ([{"source": "a/b", "mountPath": 7}], "'mountPath' is no text"),
        ([{"source": "a/b", "mountPath": "/m"}, {"source": "a/c", "mountPath": "/m/"}], "two volumes"),
    ],
)
def test_a_list_that_is_none(hubfs, value, reason):
    assert reason in hubfs.fail(program.USAGE, "mount", "--volumes", volumes_file(hubfs, value))


@pytest.mark.parametrize(
    "options",
    [["-w"], ["-r"], ["-f"], ["--log-file", "x"], ["--record", "x"], ["--branch", "x"],
     ["-o", "writable"]],
)
def test_options_that_are_for_one_mount(hubfs, options):
    volumes = ["-v", "hf://lab/sample:/mnt", "-v", "hf://lab/sample:/opt"]
    hubfs.fail(program.USAGE, "mount", *volumes, *options)


def test_volumes_and_a_source_exclude_each_other(hubfs):
    path = hubfs.mount_point()
    hubfs.fail(program.USAGE, "mount", "-v", f"hf://lab/sample:{path}", "lab/sample", path)


def test_one_that_cannot_be_unmounted_does_not_keep_the_others(hubfs):
    first, second = hubfs.mount("lab/sample"), hubfs.mount("lab/sample")
    none = hubfs.mount_point()
    message = hubfs.fail(program.MOUNT_POINT, "umount", first, none, second)
    assert str(none) in message
    assert not program.is_mounted(first) and not program.is_mounted(second)


def test_all_mounts_are_unmounted(hubfs):
    """In a mount namespace without the mounts of other tests.

    Its copies of them go on their own as well, when their folders are removed.
    """
    first, second = hubfs.mount_point(), hubfs.mount_point()
    binary = mounting.binary()
    done = hubfs.run_as([
        "unshare", "--mount", "--propagation", "private", "sh", "-ec", f"""
        awk '/ fuse.hubfs / {{ print $5 }}' /proc/self/mountinfo | xargs -r -n 1 umount --lazy || true
        {binary} mount lab/sample {first}
        {binary} mount lab/sample {second}
        {binary} umount --all
        ! grep fuse.hubfs /proc/self/mountinfo
        {binary} umount --all
        """,
    ])
    assert done.returncode == 0, done.stderr
    assert hubfs.sockets() == []


@pytest.mark.parametrize("words", [[], ["--all", "/mnt"]])
def test_what_to_unmount_is_said_once(hubfs, words):
    hubfs.fail(program.USAGE, "umount", *words)
