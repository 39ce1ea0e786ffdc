"""A table in a Parquet file, of which one column is read.

usage: columns.py write FILE | columns.py read FILE COLUMN
"""

from __future__ import annotations

import json
import sys
import zlib

import numpy
import pyarrow
import pyarrow.parquet

COLUMN_COUNT = 8
GROUP_COUNT = 3
# Of 8 bytes each: a column of a row group is 2 MiB.
GROUP_ROWS = 1 << 18


def write(path: str) -> dict:
    dice = numpy.random.default_rng(7)
    rows = GROUP_COUNT * GROUP_ROWS
    table = pyarrow.table(
        {f"c{number}": dice.integers(0, 1 << 62, rows) for number in range(COLUMN_COUNT)}
    )
    pyarrow.parquet.write_table(
        table, path, row_group_size=GROUP_ROWS, compression="none", use_dictionary=False
    )
    return {}


def read(path: str, name: str) -> dict:
    file = pyarrow.parquet.ParquetFile(path)
    metadata = file.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    index = file.schema_arrow.get_field_index(name)
    values = file.read(columns=[name]).column(name).to_numpy()
    return {
        "bytes": sum(group.column(index).total_compressed_size for group in groups),
        "pieces": len(groups),
        "checksum": zlib.crc32(values.tobytes()),
    }


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    print(json.dumps({"write": write, "read": read}[what](*words)))
