"""`hubfs stats`: what a mount does, in numbers."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import mounting
import program
from conftest import FILES
from samples import MEBIBYTE

SIZE = len(FILES["weights.safetensors"])


def stats(hubfs, path) -> dict:
    return hubfs.json("stats", path)


def test_reads_are_counted_by_whether_they_waited(hub, hubfs):
    path = hubfs.mount("lab/sample")
    before = stats(hubfs, path)
    assert before["latency"]["read_at_once"]["count"] == 0
    assert before["latency"]["read_at_once"]["p50"] is None and before["hitRatio"] is None
    (path / "weights.safetensors").read_bytes()
    cold = stats(hubfs, path)
    figures, latency = cold["figures"], cold["latency"]
    assert latency["read_after_wait"]["count"] > 0
    reads = latency["read_after_wait"]["count"] + latency["read_at_once"]["count"]
    assert reads == figures["kernel_requests_total"]["read"]
    assert cold["hitRatio"] == latency["read_at_once"]["count"] / reads
    assert figures["read_bytes_total"] == SIZE
    # The Hub is on this machine, and yet it takes longer than memory does.
    waited = latency["read_after_wait"]
    assert 0 < waited["p50"] <= waited["p90"] <= waited["p99"] <= waited["max"]
    assert waited["sumSeconds"] >= waited["max"]
    assert latency["metadata"]["count"] > 0
    for part in ["api", "resolve", "cdn"]:
        assert figures["hub_requests_total"][part] == hub.requests(part)
    assert sum(figures["hub_received_bytes_total"].values()) >= SIZE
    assert figures["resident_memory_bytes"] > MEBIBYTE
    assert figures["cache_bytes"] >= SIZE


def test_what_was_fetched_ahead_and_read_is_told(hubfs):
    path = hubfs.mount("lab/sample", "--no-replay")
    with (path / "weights.safetensors").open("rb", buffering=0) as file:
        read = 0
        while piece := file.read(128 << 10):
            read += len(piece)
    assert read == SIZE
    figures = stats(hubfs, path)["figures"]
    fetched = figures["readahead_fetched_bytes_total"]
    used = figures["readahead_used_bytes_total"]
    assert 0 < used <= fetched <= SIZE
    # All of it was read: what is not counted as used was asked for by a reader too.
    assert stats(hubfs, path)["readaheadAccuracy"] == used / fetched == 1


def test_the_hubs_quota_is_told(hub, hubfs):
    path = hubfs.mount("lab/sample")
    (path / "config.json").read_bytes()
    figures = stats(hubfs, path)["figures"]
    left = figures.get("hub_requests_left", {})
    text = hubfs.succeed("stats", path)
    assert ("the Hub has not said" in text) == (not left)
    for quota, count in left.items():
        assert f"{quota} {count}" in text
        assert figures["hub_quota_reset_seconds"][quota] > 0


def test_edits_that_are_not_committed_are_told(editor, repo):
    path = editor.mount(repo, "-w", "--commit", "manual")
    assert stats(editor, path)["figures"]["dirty_files"] == 0
    (path / "new.bin").write_bytes(b"x" * 5000)
    with (path / "weights.bin").open("r+b") as file:
        file.seek(1000)
        file.write(b"four")
    figures = stats(editor, path)["figures"]
    assert (figures["dirty_files"], figures["dirty_bytes"]) == (2, 5004)
    assert figures["written_bytes_total"] == 5004
    assert "2 files, 4.9 KiB" in editor.succeed("stats", path)
    editor.succeed("commit", path)
    figures = stats(editor, path)["figures"]
    assert (figures["dirty_files"], figures["dirty_bytes"]) == (0, 0)


def test_each_line_of_watch_is_of_its_interval(hubfs):
    path = hubfs.mount("lab/sample")
    watching = subprocess.Popen(
        [mounting.binary(), "stats", path, "--watch=0.3", "--json"],
        env=hubfs.environment, stdout=subprocess.PIPE, text=True,
    )
    try:
        first = json.loads(watching.stdout.readline())
        (path / "onnx" / "model.onnx").read_bytes()
        lines = [json.loads(watching.stdout.readline()) for _ in range(4)]
    finally:
        watching.send_signal(signal.SIGINT)
        watching.wait(10)
    assert first["figures"]["read_bytes_total"] == 0
    read = [line["figures"]["read_bytes_total"] for line in lines]
    assert sum(read) == len(FILES["onnx/model.onnx"]) and read.count(0) >= 2


def test_watching_ends_with_the_mount(hubfs):
    path = hubfs.mount("lab/sample")
    watching = subprocess.Popen(
        [mounting.binary(), "stats", "--watch=0.2", path],
        env=hubfs.environment, stdout=subprocess.PIPE, text=True,
    )
    try:
        heads = [watching.stdout.readline() for _ in range(3)]
        assert "at once" in heads[0] and "reads/s" in heads[1]
        hubfs.succeed("umount", path)
        watching.communicate(timeout=30)
    finally:
        watching.kill()
        watching.wait()


def test_a_daemon_that_hangs_is_told(hubfs):
    path = hubfs.mount("lab/sample")
    pid = hubfs.status(path)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert "does not answer" in hubfs.fail(program.TIMED_OUT, "stats", path)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "reads" in hubfs.succeed("stats", path)
