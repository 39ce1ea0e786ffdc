"""What must be true of a workspace while no daemon uses it (docs/JOURNAL.md has the format)."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path


def workspaces(state: Path) -> list[Path]:
    return sorted(path for path in (state / "hubfs/workspaces").iterdir() if path.is_dir())


def check(state: Path) -> None:
    """Every workspace below a state folder is whole, private, and holds nothing that is lost."""
    for workspace in workspaces(state):
        check_permissions(workspace)
        check_records(workspace)


def check_permissions(workspace: Path) -> None:
    for path in [workspace, *workspace.rglob("*")]:
        mode = path.lstat().st_mode
        wanted = 0o700 if stat.S_ISDIR(mode) else 0o600
        assert stat.S_IMODE(mode) == wanted, f"{path} has the mode {stat.S_IMODE(mode):o}"


def check_records(workspace: Path) -> None:
    database = sqlite3.connect(f"file:{workspace / 'journal.db'}?mode=ro", uri=True)
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        nodes = dict(database.execute("SELECT number, parent FROM node"))
        kinds = dict(database.execute("SELECT number, kind FROM node"))
        layers = dict(database.execute("SELECT number, node FROM layer"))
        extents = database.execute("SELECT layer, start, stop, kind FROM extent").fetchall()
        synced = database.execute("SELECT layer FROM synced_extent").fetchall()
        attributes = database.execute("SELECT node FROM attribute").fetchall()
        whiteouts = database.execute("SELECT parent FROM whiteout").fetchall()
    finally:
        database.close()
    for number, parent in nodes.items():
        assert parent == 0 or kinds.get(parent) == 0, f"object {number} is in no directory"
    for (node,) in attributes + whiteouts:
        assert node in nodes, f"a record of object {node}, which is gone"
    for layer, node in layers.items():
        assert kinds.get(node) == 1, f"layer {layer} belongs to no file"
    for layer in {row[0] for row in extents + synced}:
        assert layer in layers, f"extents of layer {layer}, which is gone"
    check_staging(workspace / "staging", layers, extents)


def check_staging(staging: Path, layers: dict[int, int], extents: list[tuple]) -> None:
    files = {int(path.name): path.stat().st_size for path in staging.iterdir()}
    assert set(files) <= set(layers), f"staged and forgotten: {set(files) - set(layers)}"
    dirty = 0
    for layer, start, stop, kind in sorted(extents):
        assert start < stop
        if kind == dirty:
            assert files.get(layer, 0) >= stop, f"layer {layer} has no bytes up to {stop}"


def names(workspace: Path) -> list[bytes]:
    """Names of the objects a workspace has a record of, the root aside."""
    database = sqlite3.connect(f"file:{workspace / 'journal.db'}?mode=ro", uri=True)
    try:
        return [row[0] for row in database.execute("SELECT name FROM node WHERE parent <> 0")]
    finally:
        database.close()
