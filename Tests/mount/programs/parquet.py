"""usage: parquet.py write|check FOLDER: Parquet by pyarrow and by pandas, whole and in parts."""

import sys
from pathlib import Path

import numpy
import pandas
import pyarrow
import pyarrow.dataset
import pyarrow.parquet

ROWS, GROUPS, PARTS = 20_000, 8, 4
# Left alone, each run names its files anew.
FILE_NAMES = "part-{i}.parquet"


def frame() -> pandas.DataFrame:
    numbers = numpy.arange(ROWS)
    return pandas.DataFrame({
        "number": numbers,
        "root": numpy.sqrt(numbers),
        "text": [f"row {n % 977}" for n in numbers],
        "part": numbers % PARTS,
    })  # fmt: skip


def write(folder: Path) -> None:
    table = pyarrow.Table.from_pandas(frame(), preserve_index=False)
    pyarrow.parquet.write_table(table, folder / "whole.parquet", compression="zstd")
    step = ROWS // GROUPS
    with pyarrow.parquet.ParquetWriter(folder / "groups.parquet", table.schema) as writer:
        for group in range(GROUPS):
            writer.write_table(table.slice(group * step, step))
    frame().to_parquet(folder / "pandas.parquet")
    # Once more over a file that is there.
    frame().to_parquet(folder / "pandas.parquet", compression="gzip")
    pyarrow.dataset.write_dataset(
        table, folder / "dataset", format="parquet", basename_template=FILE_NAMES,
        partitioning=pyarrow.dataset.partitioning(table.select(["part"]).schema, flavor="hive"),
        use_threads=False,
    )  # fmt: skip
    frame().to_parquet(
        folder / "partitioned", partition_cols=["part"], basename_template=FILE_NAMES,
        use_threads=False,
    )  # fmt: skip
    check(folder)


def check(folder: Path) -> None:
    expected = frame()
    for name in ["whole", "groups", "pandas"]:
        same(pandas.read_parquet(folder / f"{name}.parquet"), expected)
    file = pyarrow.parquet.ParquetFile(folder / "groups.parquet", memory_map=True)
    assert file.num_row_groups == GROUPS, file.num_row_groups
    same(file.read_row_group(3).to_pandas(), expected[3 * ROWS // GROUPS : 4 * ROWS // GROUPS])
    for name in ["dataset", "partitioned"]:
        files = sorted(path.relative_to(folder / name) for path in (folder / name).rglob("*.*"))
        assert len(files) == PARTS, files
        found = pandas.read_parquet(folder / name, filters=[("part", "=", 2)])
        same(found.astype({"part": expected["part"].dtype}), expected[expected["part"] == 2])


def same(found: pandas.DataFrame, expected: pandas.DataFrame) -> None:
    pandas.testing.assert_frame_equal(
        found.sort_values("number", ignore_index=True)[list(expected)],
        expected.reset_index(drop=True),
    )


{"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
