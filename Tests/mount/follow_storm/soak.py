"""The storm for long: the command behind `scripts/soak --follow`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

# The official client reads its settings while it is imported. this Hub offers no Xet storage.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import localhub
from following import Branch
from mounting import Mount
from published import Published

from .generations import files
from .storm import READER_COUNT, Storm


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/soak --follow",
        description=f"A commit every second under {READER_COUNT} readers of a mount that follows the "
        "branch: they list, open, read and map what changes, and end the run when a listing, a file or "
        "a mapping is of two commits, when a call fails, or when one does not come back.",
    )
    parser.add_argument("--minutes", type=float, default=10, help="(default: 10)")
    parser.add_argument(
        "--interval", default="0.3", help="seconds between questions to the Hub (default: 0.3)"
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hubfs-soak-"))
    hub = localhub.LocalHub(folder / "hub")
    mount = None
    try:
        hub.start()
        mount = Mount(folder / "m", hub.address.endpoint)
        return blow(options, folder, hub, mount)
    except AssertionError as failure:
        print(f"FAILED: {failure}\n{mount.log()[-4000:]}", flush=True)
        return 1
    finally:
        if mount:
            mount.tear_down()
        hub.stop()
        shutil.rmtree(folder, ignore_errors=True)


def blow(options: argparse.Namespace, folder: Path, hub: localhub.LocalHub, mount: Mount) -> int:
    source = folder / "source"
    for name, data in files(0).items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    hub.run("import", "--root", hub.root, "lab/storm", source)
    published = Published(hub, "lab/storm", hub.create_token("lab", "write"))
    mount.start("hf://lab/storm", f"--follow={options.interval}")
    storm = Storm(Branch(published, mount))
    storm.blow(options.minutes * 60)
    status = storm.branch.status
    peak = mount.peak_memory_bytes()
    assert mount.unmount() == 0, "the daemon did not end well"
    print(
        f"{storm.generation} commits, {status['follow']['moves']} moves of the mount, "
        f"{status['follow']['questions']} questions to the Hub, looks {storm.looks}, "
        f"peak memory {peak >> 20} MiB: no error, nothing of two commits"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
