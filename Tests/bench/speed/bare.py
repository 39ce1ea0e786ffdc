"""Downloads with nothing around them: what the link gives to whoever asks well."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .passthrough import run

# As hubfs asks for streams and for small files.
STREAM_CONNECTIONS = 16
RANGE_BYTES = 4 << 20
SMALL_CONNECTIONS = 64


class Libcurl:
    """fetch.c, compiled when it is first needed."""

    def __init__(self, folder: Path):
        self._program = folder / "fetch"

    def ranges(self, url: str, size: int, file: Path) -> float:
        """One object into a file. Returns the seconds."""
        return self._run(
            "ranges", url, size, RANGE_BYTES, STREAM_CONNECTIONS, file
        )  # fmt: skip

    def files(self, urls: list[str]) -> float:
        """Many small objects, kept nowhere. Returns the seconds."""
        return self._run("files", SMALL_CONNECTIONS, text="".join(url + "\n" for url in urls))

    def _run(self, *words: object, text: str = "") -> float:
        if not self._program.exists():
            source = Path(__file__).with_name("fetch.c")
            run("cc", "-O2", "-o", self._program, source, "-lcurl", "-lpthread")
        done = subprocess.run(
            [self._program, *map(str, words)], input=text, capture_output=True, text=True,
            timeout=600,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"fetch ended with {done.returncode}: {done.stderr}")
        return float(done.stdout)


def aria2c(url: str, file: Path) -> None:
    """aria2c with the most connections it takes for one server."""
    run(
        "aria2c", "--quiet", "--allow-overwrite", "-x16", "-s16", "-k4M", "--file-allocation=none",
        "--async-dns=false", "--disable-ipv6", "--no-conf", "-d", file.parent, "-o", file.name, url,
    )  # fmt: skip
