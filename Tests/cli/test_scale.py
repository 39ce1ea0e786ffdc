"""The numbers that docs/SCALE.md calculates with: what one node asks of the Hub for a model."""

from __future__ import annotations

import pytest
from samples import MEBIBYTE, noise, text

SHARD_COUNT = 4
SMALL = ["config.json", "generation_config.json", "tokenizer_config.json", "README.md"]


@pytest.fixture
def model(hub, tmp_path) -> str:
    folder = tmp_path / "model"
    folder.mkdir()
    for number in range(1, SHARD_COUNT + 1):
        name = f"model-{number:05d}-of-{SHARD_COUNT:05d}.safetensors"
        (folder / name).write_bytes(noise(11 * MEBIBYTE, seed=number))
    for number, name in enumerate(SMALL):
        (folder / name).write_bytes(text(2_000, seed=number))
    hub.run("import", "--root", hub.root, "lab/scale", folder)
    return "lab/scale"


def load(hub, hubfs, model: str, *options) -> dict[str, int]:
    """Reads all of a model through a new mount. Returns how often each class was asked."""
    hub.reset_stats()
    path = hubfs.mount(f"hf://{model}", *options)
    for entry in sorted(path.iterdir()):
        entry.read_bytes()
    classes = hub.stats()["classes"]
    hubfs.succeed("umount", path)
    counts = {name: answers["requests"] for name, answers in classes.items()}
    counts["bytes"] = classes.get("cdn", {}).get("bytesSent", 0)
    # Our own questions for the counters.
    counts["api"] -= 1
    return counts


def test_what_a_node_asks_for_a_model(hub, hubfs, model):
    file_count = SHARD_COUNT + len(SMALL)
    cold = load(hub, hubfs, model)
    assert cold["api"] <= 3
    assert cold["resolve"] <= 2 * file_count
    shards = SHARD_COUNT * 11 * MEBIBYTE
    assert shards <= cold["bytes"] < shards * 1.01
    # Another mount of the same node, and one that names a commit.
    warm = load(hub, hubfs, model)
    assert (warm["api"], warm.get("resolve", 0), warm["bytes"]) == (1, 0, 0)
    commit = hubfs.json("stat", model)["commit"]
    pinned = load(hub, hubfs, f"{model}@{commit}")
    assert (pinned["api"], pinned.get("resolve", 0), pinned["bytes"]) == (0, 0, 0)
