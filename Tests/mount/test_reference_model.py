"""Random edits on a mount and on a plain folder, side by side: always equal."""

from __future__ import annotations

import os
import random

import pytest
from reference_model.committing_world import CommittingWorld
from reference_model.world import LANES, START, START_OF_SEVERAL, World

# HUBFS_MODEL_SEED repeats a run; HUBFS_MODEL_STEPS makes it longer. scripts/soak does both.
STEPS = int(os.environ.get("HUBFS_MODEL_STEPS", "1200"))


@pytest.fixture
def seed() -> int:
    given = os.environ.get("HUBFS_MODEL_SEED")
    seed = int(given) if given else random.SystemRandom().randrange(10**9)
    print(f"HUBFS_MODEL_SEED={seed} HUBFS_MODEL_STEPS={STEPS}")
    return seed


# Of the runs with commits, unless one is given: scripts/soak --commits looks for others.
SEEDS_WITH_COMMITS = [1, 604]


@pytest.fixture
def new_world(hub, import_repo, write_token, tmp_path):
    def make(start: dict[str, bytes]) -> World:
        repo = import_repo(start)
        return World(tmp_path / "world", hub.address.endpoint, write_token, repo, start)

    return make


def test_a_mount_is_always_what_a_folder_would_be(new_world, seed):
    world = new_world(START)
    with world.running():
        world.play(world.generate(seed, STEPS))
    assert world.steps == STEPS


def test_threads_that_edit_at_once_do_not_disturb_each_other(new_world, seed):
    world = new_world(START_OF_SEVERAL)
    with world.running():
        world.play_lanes(seed, STEPS // LANES)
    assert world.steps >= STEPS // LANES * LANES


@pytest.mark.parametrize("seed_of_run", SEEDS_WITH_COMMITS)
def test_commits_are_always_what_the_folder_is(
    hub, import_repo, write_token, tmp_path, seed_of_run
):
    seed = int(os.environ.get("HUBFS_MODEL_SEED", seed_of_run))
    print(f"HUBFS_MODEL_SEED={seed} HUBFS_MODEL_STEPS={STEPS}")
    world = CommittingWorld(tmp_path / "world", hub, write_token, import_repo(START), START)
    with world.running():
        world.play(world.generate(seed, STEPS))
    assert world.steps == STEPS
