"""`hubfs ls`, `cat` and `stat`: a repo without a mount."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import mounting
import program
from conftest import FILES
from samples import git_oid, sha256

WEIGHTS = FILES["weights.safetensors"]


def test_ls(hubfs):
    assert hubfs.succeed("ls", "lab/sample").split() == [
        ".gitattributes", "config.json", "onnx/", "weights.safetensors",
    ]
    assert hubfs.succeed("ls", "hf://lab/sample@main/onnx").split() == ["model.onnx", "notes.txt"]
    assert hubfs.succeed("ls", "lab/sample/config.json").split() == ["config.json"]


def test_ls_long(hubfs):
    lines = hubfs.succeed("ls", "-l", "lab/sample").splitlines()
    config = next(line for line in lines if line.endswith("config.json")).split()
    size = str(len(FILES["config.json"]))
    assert config == [size, "0", "%", git_oid(FILES["config.json"])[:12], "config.json"]


def test_ls_json(hubfs):
    listing = hubfs.json("ls", "lab/sample")
    # Looking makes nothing in the cache.
    assert list(hubfs.cache.glob("contents/*")) == []
    entries = {entry["path"]: entry for entry in listing["entries"]}
    assert listing["repo"] == "models/lab/sample"
    assert entries["onnx"]["type"] == "directory"
    assert entries["weights.safetensors"] == {
        "path": "weights.safetensors", "type": "file", "size": len(WEIGHTS),
        "oid": sha256(WEIGHTS), "sha256": sha256(WEIGHTS), "cached": 0,
    }


def test_cat_writes_the_bytes_and_keeps_them(hub, hubfs):
    uri = "lab/sample/weights.safetensors"
    assert hubfs.succeed("cat", uri, text=False) == WEIGHTS
    hub.reset_stats()
    assert hubfs.succeed("cat", uri, text=False) == WEIGHTS
    assert hub.requests("cdn", "resolve") == 0
    both = hubfs.succeed("cat", "lab/sample/config.json", "lab/sample/onnx/notes.txt", text=False)
    assert both == FILES["config.json"] + FILES["onnx/notes.txt"]


def test_cat_ends_quietly_when_nobody_reads_on(hubfs):
    process = hubfs.start("cat", "lab/sample/weights.safetensors")
    assert os.read(process.stdout.fileno(), 10) == WEIGHTS[:10]
    process.stdout.close()
    assert process.wait(timeout=30) == -signal.SIGPIPE  # as any other program
    assert process.stderr.read() == ""


def test_cat_of_a_stalled_file_ends(hub, hubfs):
    hub.add_fault("--stall", "--class", "cdn")
    hubfs.fail(
        program.HUB_UNAVAILABLE, "cat", "lab/sample/weights.safetensors", "--read-timeout", 2
    )


def test_wrong_bytes_are_not_written(hub, hubfs):
    # Small files come from resolve and are checked before their first byte.
    hub.add_fault("--corrupt", "--at", 0, "--length", 1, "--path", "*config.json*")
    done = hubfs.run("cat", "lab/sample/config.json")
    assert done.returncode == program.DAMAGED, done.stderr
    assert done.stdout == ""


def test_wrong_bytes_of_a_large_file_end_in_failure(hub, hubfs):
    """They cannot be checked before the last byte has come: the exit code tells."""
    hub.add_fault("--corrupt", "--at", 0, "--length", 1, "--class", "cdn")
    done = hubfs.run("cat", "lab/sample/weights.safetensors", text=False)
    assert done.returncode == program.DAMAGED, done.stderr
    hub.clear_faults()
    assert hubfs.succeed("cat", "lab/sample/weights.safetensors", text=False) == WEIGHTS


def test_a_gated_file(hubfs):
    assert "config.json" in hubfs.succeed("ls", "lab/gated")
    message = hubfs.fail(program.ACCESS_REFUSED, "cat", "lab/gated/config.json")
    assert "gated" in message and "HF_TOKEN" in message


def test_stat(hubfs):
    hubfs.succeed("cat", "lab/sample/config.json")
    data = FILES["config.json"]
    stat = hubfs.json("stat", "lab/sample/config.json")
    assert (stat["type"], stat["size"], stat["cached"]) == ("file", len(data), len(data))
    assert (stat["oid"], stat["sha256"]) == (git_oid(data), None)
    assert stat["commit"] in hubfs.succeed("stat", "lab/sample")
    weights = hubfs.json("stat", "lab/sample/weights.safetensors")
    assert weights["sha256"] == sha256(WEIGHTS)


def test_what_is_absent(hubfs):
    assert "no absent" in hubfs.fail(program.NOT_FOUND, "ls", "lab/sample/absent")
    assert "is a directory" in hubfs.fail(program.NOT_FOUND, "cat", "lab/sample/onnx")
    hubfs.fail(program.NOT_FOUND, "stat", "lab/absent")


def test_json_is_json_whatever_the_names(hubfs, hub, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    name = 'quo"te \u00e9 \u4e2d'
    (folder / name).write_bytes(b"x")
    hub.run("import", "--root", hub.root, "lab/odd", folder)
    done = subprocess.run(
        [mounting.binary(), "ls", "lab/odd", "--json"],
        env=hubfs.environment, capture_output=True, timeout=30, check=True,
    )
    assert name in [entry["path"] for entry in json.loads(done.stdout)["entries"]]
