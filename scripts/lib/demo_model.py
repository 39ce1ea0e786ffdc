"""The demo's sample model: makes one in a folder, reads one tensor of it from another folder, and
trains one, if filling it with zeros is training.

usage: demo_model.py make FOLDER | demo_model.py read FOLDER | demo_model.py train FOLDER
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

TENSOR_COUNT = 100
TENSOR_SHAPE = (512, 512)  # of float32: 1 MiB a tensor, about 100 MiB in all
TENSOR_READ = 42


def tensor(number: int) -> np.ndarray:
    """One of the model's tensors; the same in every run, so that reading can be checked."""
    return np.random.default_rng(number).standard_normal(TENSOR_SHAPE, dtype=np.float32)


def name(number: int) -> str:
    """What a tensor is called in the file."""
    return f"layers.{number}.weight"


def make(folder: Path) -> None:
    """Writes the model: weights, and the small files that a model repo has."""
    folder.mkdir(parents=True)
    save_file(
        {name(number): tensor(number) for number in range(TENSOR_COUNT)},
        folder / "model.safetensors",
        metadata={"format": "np"},
    )
    config = {"model_type": "tiny", "layers": TENSOR_COUNT, "hidden_size": TENSOR_SHAPE[0]}
    tokens = {f"token{number}": number for number in range(1000)}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "vocab": tokens}) + "\n")
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 512}\n')
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# tiny-model\n\nA sample.\n")


def read(folder: Path) -> None:
    """Opens the weights, as a model loader does, and takes one tensor out."""
    with safe_open(folder / "model.safetensors", framework="np") as weights:
        print(f"header: {len(weights.keys())} tensors")
        found = weights.get_tensor(name(TENSOR_READ))
    print(f"{name(TENSOR_READ)}: {found.dtype} {found.shape}, mean {found.mean():+.6f}")
    if not np.array_equal(found, tensor(TENSOR_READ)):
        sys.exit("this is not the tensor that was saved")


def train(folder: Path) -> None:
    """Changes one tensor in place: its bytes and no others are written."""
    with (folder / "model.safetensors").open("r+b") as file:
        (header_count,) = struct.unpack("<Q", file.read(8))
        start, end = json.loads(file.read(header_count))[name(TENSOR_READ)]["data_offsets"]
        file.seek(8 + header_count + start)
        file.write(bytes(end - start))
    print(f"{name(TENSOR_READ)}: {end - start} bytes written")


if __name__ == "__main__":
    {"make": make, "read": read, "train": train}[sys.argv[1]](Path(sys.argv[2]))
