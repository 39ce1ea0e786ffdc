"""Libraries whose files people keep at the Hub, run in a mount and in a plain folder.

They live in `.venv-programs`, which `scripts/setup --programs` makes; each program of `programs`
writes a folder, and checks by reading it back what it wrote.
"""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

import pytest
from conftest import run
from localhub import REPOSITORY
from published import Published, files, tree

PYTHON = REPOSITORY / ".venv-programs/bin/python"
PROGRAMS = Path(__file__).parent / "programs"

FILES = {"README.md": b"# A model\n", "data/one.txt": b"one\n"}


@pytest.fixture
def repo(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture
def mount(new_editable_mount, repo):
    return new_editable_mount(f"hf://{repo}", "-w", "--commit", "manual")


@pytest.fixture
def program(tmp_path):
    """Runs a program of `programs`: program(name, "write", folder)."""
    # Nothing of the Hub: what these libraries know of it, they are to find in the folder.
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PYTHON"))}
    environment = {
        **outside,
        "HF_HOME": str(tmp_path / "hf-home"),
        "HF_HUB_OFFLINE": "1",
        # Sums of floating-point numbers are the same in every run only in the same order.
        "OMP_NUM_THREADS": "1",
    }

    def start(name: str, *arguments: object) -> None:
        try:
            run(PYTHON, PROGRAMS / name, *arguments, env=environment)
        except subprocess.CalledProcessError as error:
            pytest.fail(f"{name} ended with {error.returncode}:\n{error.stderr.decode()[-4000:]}")

    return start


@functools.cache
def has_torch() -> bool:
    # Only looked for: one that cannot be imported fails the tests.
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    return subprocess.run([PYTHON, "-c", look], timeout=60).returncode == 0


@pytest.fixture
def needs_torch() -> None:
    if not has_torch():
        pytest.skip("torch is not in .venv-programs; scripts/setup --programs says why")


@pytest.mark.parametrize("name", ["hdf5.py", "parquet.py"])
def test_tables(both, program, name):
    program(name, "check", both(lambda at: program(name, "write", at)))


def test_checkpoints_of_torch(needs_torch, both, program):
    place = both(lambda at: program("checkpoint.py", "write", at))
    program("checkpoint.py", "check", place)


def test_a_model_in_shards(
    needs_torch, both, program, mount, repo, hub, new_editable_mount, write_token, tmp_path
):
    """Saved and loaded in a mount, committed, and loaded from what others get of it."""
    place = both(lambda at: program("pretrained.py", "write", at))
    mount.run("commit", mount.path)
    snapshot = tmp_path / "snapshot"
    published = Published(hub, repo, write_token).snapshot(snapshot)
    # The Hub itself keeps a list of the files that are in LFS.
    published.pop(".gitattributes", None)
    assert published == files(tree(place), lambda path: path == ".gitattributes")
    program("pretrained.py", "check", snapshot)
    program("pretrained.py", "check", new_editable_mount(f"hf://{repo}").path)
