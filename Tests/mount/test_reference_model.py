"""Random edits on a mount and on a plain folder, side by side: always equal."""

from __future__ import annotations

import os
import random

import pytest
from reference_model.generator import Generator
from reference_model.world import START, World

# HUBFS_MODEL_SEED repeats a run; HUBFS_MODEL_STEPS makes it longer. scripts/soak does both.
STEPS = int(os.environ.get("HUBFS_MODEL_STEPS", "1200"))
ROUNDS = 2


def seeds() -> list[int]:
    if given := os.environ.get("HUBFS_MODEL_SEED"):
        return [int(given)]
    return [random.SystemRandom().randrange(10**9) for _ in range(ROUNDS)]


@pytest.fixture(scope="module")
def repo(import_repo) -> str:
    return import_repo(START)


@pytest.mark.parametrize("seed", seeds())
def test_a_mount_is_always_what_a_folder_would_be(hub, repo, tmp_path, seed):
    print(f"HUBFS_MODEL_SEED={seed} HUBFS_MODEL_STEPS={STEPS}")
    log = tmp_path / "operations.jsonl"
    world = World(tmp_path / "world", hub.address.endpoint, repo, log)
    with world.running():
        world.play(world.generate(Generator(seed), STEPS))
    assert world.steps == STEPS
