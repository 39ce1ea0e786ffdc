"""Transfers of 2 GiB by chunks, which outlive the tokens they begin with."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import localhub
import pytest
from conftest import mounts
from samples import MEBIBYTE

SIZE = 2048 * MEBIBYTE
PIECE = 4 * MEBIBYTE
# In its last 30 seconds a token is not used: clocks differ. So each of these serves for one.
LIFETIME_SECONDS = 31


@pytest.fixture
def store(tmp_path):
    hub = localhub.LocalHub(tmp_path / "root")
    hub.serve_options = ["--xet", "--xet-token-lifetime", str(LIFETIME_SECONDS)]
    hub.start()
    yield hub
    hub.stop()
    shutil.rmtree(hub.root)


@pytest.fixture
def repo(store, tmp_path) -> str:
    empty = tmp_path / "empty"
    empty.mkdir()
    store.run("import", "--root", store.root, "lab/long", empty)
    return "lab/long"


def write_noise(file: Path) -> str:
    """Fills a file. Returns the SHA-256 of its bytes."""
    digest = hashlib.sha256()
    with file.open("wb", buffering=0) as out:
        for _ in range(SIZE // PIECE):
            piece = os.urandom(PIECE)
            digest.update(piece)
            assert out.write(piece) == PIECE
    return digest.hexdigest()


def refuse_a_token(store, endpoint: str, skipped: int) -> None:
    """Has the store find a token ended that we hold for good, in the middle of what follows."""
    store.reset_stats()
    store.add_fault("--status", "401", "--to", endpoint, "--skip", skipped, "--count", "1")


@pytest.mark.alone
def test_tokens_end_amid_two_gibibytes(store, repo, tmp_path):
    with mounts(store, tmp_path, store.create_token("lab", "write")) as make:
        writer = make(f"hf://{repo}", "-w", "--commit", "manual")
        expected = write_noise(writer.path / "large.bin")
        refuse_a_token(store, "cas-grant", 60)
        writer.run("commit", writer.path, timeout=180)
        asked = store.asked()
        assert asked["xet-token"] >= 3 and store.stats()["statuses"]["401"] == 1
        # All of it by chunks, and nothing twice.
        assert "lfs-batch" not in asked and asked["cas-shard"] == 1
        assert SIZE < store.bytes_received("xorb", "cas") < SIZE * 1.01
        assert writer.unmount() == 0
        shutil.rmtree(writer.cache)

        reader = make(f"hf://{repo}", cache=tmp_path / "another")
        refuse_a_token(store, "cas-reconstruction", 200)
        with (reader.path / "large.bin").open("rb", buffering=0) as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == expected
        assert store.asked()["xet-token"] >= 3 and store.stats()["statuses"]["401"] == 1
        (status,) = json.loads(reader.run("status", "--json", reader.path).stdout)["mounts"]
        assert status["xet"]["fallbacks"] == {}
        assert status["xet"]["unpackedBytes"] > SIZE * 0.9
        # Ranges leave their connections to the next.
        assert store.stats()["connections"] < 60
