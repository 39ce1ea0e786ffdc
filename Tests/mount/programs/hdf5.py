"""usage: hdf5.py write|check FOLDER: files of HDF5, written in several sittings."""

import sys
from pathlib import Path

import h5py
import numpy

ROWS, COLUMNS = 5000, 40


def values(first: int, last: int) -> numpy.ndarray:
    return numpy.arange(first * COLUMNS, last * COLUMNS, dtype="f8").reshape(-1, COLUMNS)


def write(folder: Path) -> None:
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset(
            "rows", data=values(0, 1000), maxshape=(None, COLUMNS), chunks=(250, COLUMNS)
        )
        file.create_dataset("packed", data=values(0, 2000), chunks=(100, COLUMNS), compression=4)
        file.create_dataset("gone", data=numpy.zeros(100_000))
        file["rows"].attrs["unit"] = "metre"
    for first in range(1000, ROWS, 1000):
        append(folder / "data.h5", first, first + 1000)
    with h5py.File(folder / "data.h5", "r+") as file:
        file["packed"][500:600] = -1
        del file["gone"]
        file.create_group("later/deeper")["text"] = "words"
    with h5py.File(folder / "shrunk.h5", "w") as file:
        file.create_dataset("rows", data=values(0, ROWS), maxshape=(None, COLUMNS), chunks=True)
        file.flush()
        file["rows"].resize(7, axis=0)
    check(folder)


def append(path: Path, first: int, last: int) -> None:
    with h5py.File(path, "a") as file:
        file["rows"].resize(last, axis=0)
        file["rows"][first:last] = values(first, last)


def check(folder: Path) -> None:
    with h5py.File(folder / "data.h5") as file:
        assert sorted(file) == ["later", "packed", "rows"], sorted(file)
        assert numpy.array_equal(file["rows"], values(0, ROWS))
        assert file["rows"].attrs["unit"] == "metre"
        assert file["later/deeper/text"].asstr()[()] == "words"
        packed = values(0, 2000)
        packed[500:600] = -1
        assert numpy.array_equal(file["packed"], packed)
    with h5py.File(folder / "shrunk.h5") as file:
        assert numpy.array_equal(file["rows"], values(0, 7))


{"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
