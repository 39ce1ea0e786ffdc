"""`hubfs warm`: files are in the cache before they are read."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time

import mounting
import program
import pytest
from conftest import FILES
from huggingface_hub.utils import filter_repo_objects
from samples import MEBIBYTE, noise, sha256

TOTAL = sum(map(len, FILES.values()))
# What comes from the CDN; the Hub sends the others itself.
LARGE_BYTES = len(FILES["weights.safetensors"]) + len(FILES["onnx/model.onnx"])
NAMES = [
    "README.md", "a/b/deep.json", "a/one.json", "a/two.bin", "a[1].txt", "b!c.txt", "b/a/x.json",
    "b-d.txt", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
    "onnx/model.onnx", "x^y.txt", "ä.txt",
]  # fmt: skip
PATTERNS = [
    "*", "*.json", "a/*", "a/", "/a/*", "*/x.json", "?.txt", "a[[]1].txt", "a[1].txt", "[!a]*.txt",
    "[^a]*.txt", "b[!-]c.txt", "b[a-]d.txt", "model-0000[1-1]*", "model-0000[2-1]*", "[z-a]*", "[]a]*",
    "[", "*[", "**/*.json", "*de*p*", "README.md", "readme.md", "onnx", "x[y^]y.txt", "", "\\*.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def large(hub, tmp_path_factory) -> str:
    """A repo with one file of many ranges."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "large.bin").write_bytes(noise(48 * MEBIBYTE, seed=30))
    hub.run("import", "--root", hub.root, "lab/large", folder)
    return "lab/large"


@pytest.fixture(scope="module")
def named(hub, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("named")
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    hub.run("import", "--root", hub.root, "lab/named", folder)
    return "lab/named"


def missing(hubfs, *arguments: object) -> list[str]:
    """What `--check` finds missing."""
    done = hubfs.run("warm", "--check", "--json", *arguments)
    assert done.returncode in (0, program.INCOMPLETE), done.stderr
    return [entry["path"] for entry in json.loads(done.stdout)["missing"]]


def test_everything_is_fetched_once(hub, hubfs):
    assert set(missing(hubfs, "lab/sample")) >= set(FILES)
    hub.reset_stats()
    report = hubfs.json("warm", "hf://lab/sample")
    assert report["fetchedBytes"] == report["bytes"] >= TOTAL
    assert hub.bytes_sent("cdn") == LARGE_BYTES
    hub.reset_stats()
    again = hubfs.json("warm", "lab/sample")
    assert again["fetchedBytes"] == again["fetchedFiles"] == 0
    assert hubfs.succeed("warm", "--check", "lab/sample").startswith("all ")
    path = hubfs.mount("lab/sample")
    for name, data in FILES.items():
        assert (path / name).read_bytes() == data
    assert hub.requests("cdn", "resolve") == 0


def test_what_was_fetched_is_verified_and_sealed(hubfs):
    hubfs.succeed("warm", "lab/sample")
    contents = {entry["oid"]: entry for entry in hubfs.json("cache", "ls")["contents"]}
    assert contents[sha256(FILES["weights.safetensors"])]["isSealed"]
    assert all(content["isSealed"] for content in contents.values())


def test_quiet_without_a_terminal(hubfs):
    done = hubfs.run("warm", "lab/sample/onnx")
    assert done.returncode == 0 and done.stderr == ""
    [line] = done.stdout.splitlines()
    assert line.startswith("fetched 2 of 2 files, ")


def test_progress_on_a_terminal(hub, hubfs, large):
    hub.add_fault("--link", "rtt=5ms,window=60KB")
    outside, inside = pty.openpty()
    process = subprocess.Popen(
        [mounting.binary(), "warm", large], env=hubfs.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=inside, text=True,
    )  # fmt: skip
    os.close(inside)
    shown = b""
    while b" left" not in shown:
        shown += os.read(outside, 4096)
    assert b" of 48.0 MiB, " in shown and b"/s, " in shown
    hub.clear_faults()
    assert process.wait(timeout=60) == 0
    os.close(outside)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_those_of_the_official_client(hubfs, named, pattern):
    every = set(missing(hubfs, named))
    expected = set(filter_repo_objects(sorted(every), allow_patterns=pattern))
    if expected:
        assert set(missing(hubfs, named, "--include", pattern)) == expected
    else:
        message = hubfs.fail(program.NOT_FOUND, "warm", named, "--include", pattern)
        assert "none matches" in message
    rest = every - set(filter_repo_objects(sorted(every), allow_patterns=pattern))
    if rest:
        assert set(missing(hubfs, named, "--exclude", pattern)) == rest


def test_only_what_is_meant_is_fetched(hub, hubfs):
    hubfs.succeed("warm", "lab/sample", "--include", "onnx/*", "--exclude", "*.onnx")
    assert hub.requests("cdn") == 0
    left = missing(hubfs, "lab/sample")
    assert "onnx/notes.txt" not in left and set(FILES) - {"onnx/notes.txt"} <= set(left)


def test_a_list_of_paths(hubfs, tmp_path):
    paths = tmp_path / "list"
    paths.write_text("onnx/notes.txt\n\nconfig.json")
    assert hubfs.json("warm", "lab/sample", "--list", paths)["fetchedFiles"] == 2
    assert not {"onnx/notes.txt", "config.json"} & set(missing(hubfs, "lab/sample"))
    paths.write_text("onnx/notes.txt\nabsent.bin\n")
    message = hubfs.fail(program.NOT_FOUND, "warm", "lab/sample", "--list", paths)
    assert "absent.bin" in message
    hubfs.fail(program.USAGE, "warm", "lab/sample", "--list", tmp_path / "none")


def test_check_says_what_is_missing(hub, hubfs):
    hubfs.succeed("warm", "lab/sample/onnx")
    hub.reset_stats()
    done = hubfs.run("warm", "--check", "lab/sample")
    assert done.returncode == program.INCOMPLETE
    assert {"config.json", "weights.safetensors"} <= set(done.stdout.splitlines())
    assert "onnx/model.onnx" not in done.stdout
    assert "are not in the cache" in done.stderr
    assert hub.requests("cdn", "resolve") == 0


def test_evict(hubfs):
    hubfs.succeed("warm", "lab/sample")
    assert "removed 2 contents" in hubfs.succeed("warm", "--evict", "lab/sample/onnx")
    assert set(missing(hubfs, "lab/sample")) == {"onnx/model.onnx", "onnx/notes.txt"}


def test_evict_leaves_what_is_open(hubfs):
    path = hubfs.mount("lab/sample")
    with (path / "weights.safetensors").open("rb") as file:
        assert file.read(100) == FILES["weights.safetensors"][:100]
        assert "in use" in hubfs.fail(program.BUSY, "warm", "--evict", path)
        assert file.read() == FILES["weights.safetensors"][100:]


def test_a_mounted_directory(hub, hubfs):
    """What a mount shows goes into the cache that it uses, whatever the command's own is."""
    path = hubfs.mount("lab/sample", "--cache-dir", hubfs.folder / "other")
    assert hubfs.json("warm", path / "onnx")["fetchedFiles"] == 2
    assert hubfs.json("warm", path / "weights.safetensors")["fetchedFiles"] == 1
    hub.reset_stats()
    assert (path / "weights.safetensors").read_bytes() == FILES["weights.safetensors"]
    assert (path / "onnx/model.onnx").read_bytes() == FILES["onnx/model.onnx"]
    assert (path / "onnx/notes.txt").read_bytes() == FILES["onnx/notes.txt"]
    assert hub.requests("cdn", "resolve") == 0
    assert not hubfs.cache.exists()


def test_a_mount_of_a_folder(hubfs):
    path = hubfs.mount("lab/sample/onnx")
    assert hubfs.json("warm", path)["files"] == 2
    assert hubfs.json("warm", path / "notes.txt")["fetchedFiles"] == 0


def test_a_directory_that_is_no_mount(hubfs, tmp_path):
    assert "in no mount" in hubfs.fail(program.MOUNT_POINT, "warm", tmp_path)


def test_several_sources_at_once(hubfs, named):
    path = hubfs.mount("lab/sample")
    assert hubfs.json("warm", path / "onnx", f"hf://{named}/onnx")["fetchedFiles"] == 3


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0])
def test_a_killed_run_is_resumed(hub, hubfs, large, seconds):
    hub.add_fault("--link", "rtt=5ms,window=60KB")
    process = hubfs.start("warm", large)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    hub.clear_faults()
    contents = hubfs.json("cache", "ls")["contents"]
    cached = sum(entry["cached"] for entry in contents if entry["size"] == 48 * MEBIBYTE)
    hub.reset_stats()
    report = hubfs.json("warm", large, "--include", "*.bin")
    assert report["fetchedBytes"] == 48 * MEBIBYTE - cached
    assert hub.bytes_sent("cdn") == report["fetchedBytes"]
    assert hubfs.json("cache", "verify")["checked"] >= 1
    assert missing(hubfs, large, "--include", "*.bin") == []


def test_a_cache_that_is_too_small(hub, hubfs, large):
    message = hubfs.fail(program.LOCAL_STORAGE, "warm", large, "--cache-size", "8M")
    assert "--cache-size" in message and hub.requests("cdn") == 0


def test_errors(hub, hubfs, token):
    assert "HF_TOKEN" in hubfs.fail(program.NOT_FOUND, "warm", "lab/absent")
    assert "HF_TOKEN" in hubfs.fail(program.NOT_FOUND, "warm", "lab/secret")
    assert "gated" in hubfs.fail(program.ACCESS_REFUSED, "warm", "lab/gated")
    hubfs.succeed("warm", "lab/secret/onnx", environment={"HF_TOKEN": token})
    assert "no absent" in hubfs.fail(program.NOT_FOUND, "warm", "lab/sample/absent")
    hubfs.fail(program.NOT_FOUND, "warm", "lab/sample@absent")
    hubfs.fail(program.USAGE, "warm")
    hubfs.fail(program.USAGE, "warm", "--check", "--evict", "lab/sample")
    hubfs.fail(program.HUB_UNAVAILABLE, "warm", "--offline", "lab/never-seen")


def test_wrong_bytes(hub, hubfs):
    hub.add_fault("--corrupt", "--class", "cdn", "--at", 5_000_000, "--length", 10)
    hubfs.fail(program.DAMAGED, "warm", "lab/sample/weights.safetensors")
    hub.clear_faults()
    hubfs.succeed("warm", "lab/sample/weights.safetensors")
