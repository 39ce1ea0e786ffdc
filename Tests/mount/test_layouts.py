"""Files that say where their parts are: who wants one of them fetches little else."""

from __future__ import annotations

import json
import mmap
import os
import struct
import subprocess
from pathlib import Path

import pytest
from conftest import import_folder
from localhub import REPOSITORY
from samples import MEBIBYTE, noise

pytestmark = pytest.mark.alone

PYTHON = REPOSITORY / ".venv-programs/bin/python"
COLUMNS = Path(__file__).parent / "programs/columns.py"

TENSOR_BYTES = 5 * MEBIBYTE
TENSOR_COUNT = 10
# The kernel's own readahead on both sides of what is read, and whole blocks.
OVERHEAD_BYTES_MAX = MEBIBYTE // 2


def gguf(tensor: bytes) -> tuple[bytes, int]:
    """A file of tensors that are alike but for their first bytes, and where the first one begins.

    Source: the GGUF specification in the ggml repository.
    """

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    words = b"".join(text(f"word {number}") for number in range(100_000))
    pairs = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.alignment") + struct.pack("<II", 4, 64),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 100_000) + words,
        text("tokenizer.ggml.scores") + struct.pack("<IIQ", 9, 6, 100_000) + bytes(400_000),
    ]
    tensors = [
        text(f"blk.{number}.weight") + struct.pack("<IQIQ", 1, len(tensor), 24, number * len(tensor))
        for number in range(TENSOR_COUNT)
    ]
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(pairs))
    header += b"".join(pairs) + b"".join(tensors)
    header += bytes(-len(header) % 64)
    data = b"".join(struct.pack("<Q", number) + tensor[8:] for number in range(TENSOR_COUNT))
    return header + data, len(header)


def fetched_by(hub, mount, read) -> int:
    """Bytes that something costs; the page cache has none of them."""
    mount.drop_page_cache()
    hub.reset_stats()
    read()
    return hub.bytes_sent("cdn")


def read_alone(file, count: int) -> None:
    """Reads the beginning of a file from its end, so that nothing is read ahead behind it."""
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
    for offset in reversed(range(0, count, 1 << 16)):
        os.pread(file.fileno(), min(1 << 16, count - offset), offset)
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_NORMAL)


def touch(pages: mmap.mmap, start: int, count: int) -> None:
    """Page by page in order. A copy of all of it at once touches the last page early, in which the next
    tensor begins: who does so is taken for a reader of that one too."""
    for place in range(start, start + count, mmap.PAGESIZE):
        pages[place]


@pytest.fixture(scope="module")
def model() -> tuple[bytes, int]:
    return gguf(noise(TENSOR_BYTES, seed=70))


@pytest.fixture(scope="module")
def repo(import_repo, model) -> str:
    """The same file twice, of which the one does not say by its name what it is."""
    return import_repo({"model.gguf": model[0], "model.bin": model[0]})


@pytest.mark.parametrize("number", [0, 4, TENSOR_COUNT - 1])
def test_one_tensor_of_a_gguf_file(hub, new_mount, repo, model, number):
    data, header_bytes = model
    start = header_bytes + number * TENSOR_BYTES

    def fetched(name: str) -> int:
        mount = new_mount(f"hf://{repo}")
        with (mount.path / name).open("rb", buffering=0) as file:
            read_alone(file, header_bytes)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
                found = fetched_by(hub, mount, lambda: touch(pages, start, TENSOR_BYTES))
                assert pages[start : start + TENSOR_BYTES] == data[start : start + TENSOR_BYTES]
        return found

    with_layout = fetched("model.gguf")
    assert with_layout <= TENSOR_BYTES + OVERHEAD_BYTES_MAX
    # Else what is read ahead of the tensor's end is fetched in vain.
    if number < TENSOR_COUNT - 1:
        assert with_layout < fetched("model.bin")


def test_a_whole_gguf_file(hub, new_mount, repo, model):
    mount = new_mount(f"hf://{repo}")
    path = mount.path / "model.gguf"
    assert fetched_by(hub, mount, path.read_bytes) == len(model[0])
    assert path.read_bytes() == model[0]


def columns(*words: object) -> dict:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PYTHON"))}
    done = subprocess.run(
        [PYTHON, COLUMNS, *map(str, words)], env=environment, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_column_of_a_parquet_file(hub, new_mount, tmp_path):
    folder = tmp_path / "tables"
    folder.mkdir()
    columns("write", folder / "table.parquet")
    os.link(folder / "table.parquet", folder / "table.bin")
    local = columns("read", folder / "table.parquet", "c3")
    assert local["bytes"] > 5 * MEBIBYTE
    repo = import_folder(hub, folder)

    def fetched(name: str) -> int:
        mount = new_mount(f"hf://{repo}")
        hub.reset_stats()
        assert columns("read", mount.path / name, "c3") == local
        return hub.bytes_sent("cdn")

    with_layout = fetched("table.parquet")
    # Each row group has a piece of the column; the footer is one more.
    pieces = local["pieces"] + 1
    assert with_layout <= local["bytes"] + pieces * OVERHEAD_BYTES_MAX // 2
    assert with_layout < fetched("table.bin")
