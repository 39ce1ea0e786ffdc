"""`hubfs cache`: what is kept, what it takes, and whether it is right."""

from __future__ import annotations

import contextlib
import sqlite3

import program
import pytest
from conftest import FILES
from samples import git_oid, sha256

WEIGHTS = FILES["weights.safetensors"]


@pytest.fixture
def filled(hubfs):
    """A cache that holds all of the sample, sealed."""
    # A content is sealed soon after its last byte was served; a process that ends before leaves it to
    # the next one that opens the content.
    for _ in range(20):
        for path in FILES:
            hubfs.succeed("cat", f"lab/sample/{path}", text=False)
        if all(content["isSealed"] for content in oids(hubfs).values()):
            break
    return hubfs


def oids(hubfs) -> dict[str, dict]:
    return {content["oid"]: content for content in hubfs.json("cache", "ls")["contents"]}


def test_ls(filled):
    contents = oids(filled)
    assert set(contents) == {
        sha256(WEIGHTS), git_oid(FILES["config.json"]), sha256(FILES["onnx/model.onnx"]),
        git_oid(FILES["onnx/notes.txt"]),
    }
    weights = contents[sha256(WEIGHTS)]
    assert weights["size"] == weights["cached"] == len(WEIGHTS)
    assert weights["isSealed"] is True
    assert weights["paths"] == [{"repo": "models/lab/sample", "path": "weights.safetensors"}]
    assert "models/lab/sample/weights.safetensors" in filled.succeed("cache", "ls")


def test_du(filled):
    use = filled.json("cache", "du")
    total = sum(map(len, FILES.values()))
    assert use["repos"][0]["repo"] == "models/lab/sample"
    assert use["repos"][0]["contents"] == len(FILES)
    assert use["bytes"] >= use["repos"][0]["bytes"] >= total
    assert "total" in filled.succeed("cache", "du")


def test_rm_of_a_folder(filled, hub):
    assert "2 contents" in filled.succeed("cache", "rm", "lab/sample/onnx", "--dry-run")
    assert len(oids(filled)) == len(FILES)
    filled.succeed("cache", "rm", "lab/sample/onnx")
    assert set(oids(filled)) == {sha256(WEIGHTS), git_oid(FILES["config.json"])}
    notes = filled.succeed("cat", "lab/sample/onnx/notes.txt", text=False)
    assert notes == FILES["onnx/notes.txt"]


def test_rm_of_everything(filled):
    filled.succeed("cache", "rm", "--all")
    assert oids(filled) == {}
    assert filled.json("cache", "du")["repos"] == []


def test_rm_leaves_what_a_mount_has_open(filled):
    path = filled.mount("lab/sample")
    with (path / "weights.safetensors").open("rb") as file:
        assert "in use" in filled.fail(program.BUSY, "cache", "rm", "--all")
        assert set(oids(filled)) == {sha256(WEIGHTS)}
        assert file.read() == WEIGHTS
    assert (path / "config.json").read_bytes() == FILES["config.json"]


def test_verify_drops_what_is_damaged(filled):
    report = filled.json("cache", "verify")
    assert report["checked"] == len(FILES) and report["damaged"] == []
    [data] = filled.cache.glob(f"contents/*/{sha256(WEIGHTS)}")
    with data.open("r+b") as file:
        file.seek(5_000_000)
        byte = file.read(1)[0]
        file.seek(5_000_000)
        file.write(bytes([byte ^ 1]))
    assert sha256(WEIGHTS) in filled.run("cache", "verify").stdout
    assert sha256(WEIGHTS) not in oids(filled)
    assert filled.json("cache", "verify")["damaged"] == []
    assert filled.succeed("cat", "lab/sample/weights.safetensors", text=False) == WEIGHTS


def test_verify_of_damage_has_its_exit_code(filled):
    [data] = filled.cache.glob(f"contents/*/{sha256(WEIGHTS)}")
    with data.open("r+b") as file:
        file.write(bytes([WEIGHTS[0] ^ 1]))
    assert "1 contents were damaged" in filled.fail(program.DAMAGED, "cache", "verify")


def test_an_empty_cache(hubfs):
    assert oids(hubfs) == {}
    assert hubfs.json("cache", "verify") == {
        "checked": 0, "bytes": 0, "damaged": [], "lostBlocks": 0, "restored": [], "removedFiles": 0,
        "databases": [],
    }


def age(hubfs, oid: str, seconds: int) -> None:
    """Makes a content's last use so long ago."""
    with contextlib.closing(sqlite3.connect(hubfs.cache / "cache.db")) as database:
        database.execute(
            "UPDATE content SET last_use = last_use - ? WHERE hex = ?", (seconds, oid))
        database.commit()
    with contextlib.closing(sqlite3.connect(hubfs.cache / "small.db")) as database:
        database.execute(
            "UPDATE small_content SET last_use = last_use - ? WHERE hex = ?", (seconds, oid))
        database.commit()


def test_prune_by_age(filled):
    model, notes = sha256(FILES["onnx/model.onnx"]), git_oid(FILES["onnx/notes.txt"])
    age(filled, model, 40 * 86400)
    age(filled, notes, 40 * 86400)
    would = filled.json("cache", "prune", "--older-than", "30d", "--dry-run")
    assert {content["oid"] for content in would["wouldRemove"]} == {model, notes}
    assert len(oids(filled)) == len(FILES)
    assert "removed 2 contents" in filled.succeed("cache", "prune", "--older-than", "30d")
    assert set(oids(filled)) == {sha256(WEIGHTS), git_oid(FILES["config.json"])}
    assert filled.json("cache", "prune", "--older-than", "720h")["removed"] == 0


def test_prune_by_size_takes_the_least_recently_used(filled):
    age(filled, sha256(WEIGHTS), 100)
    assert filled.json("cache", "du")["bytes"] > 12_000_000
    report = filled.json("cache", "prune", "--to-size", "4M")
    assert report["removed"] == 1 and report["left"] <= 4 << 20
    # But for the databases' logs, which come and go.
    assert abs(report["left"] - filled.json("cache", "du")["bytes"]) < 1 << 20
    assert sha256(WEIGHTS) not in oids(filled) and len(oids(filled)) == len(FILES) - 1


def test_prune_takes_others_in_place_of_what_is_open(filled):
    age(filled, sha256(WEIGHTS), 100)
    path = filled.mount("lab/sample")
    with (path / "weights.safetensors").open("rb") as file:
        filled.fail(program.BUSY, "cache", "prune", "--to-size", "4M")
        assert set(oids(filled)) == {sha256(WEIGHTS)}
        assert file.read() == WEIGHTS


def test_prune_wants_to_know_what(hubfs):
    hubfs.fail(program.USAGE, "cache", "prune")
    hubfs.fail(program.USAGE, "cache", "prune", "--older-than", "soon")
