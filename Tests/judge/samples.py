"""Sample contents and their names in git and Git LFS."""

from __future__ import annotations

import hashlib
import random

MEBIBYTE = 1 << 20

# The Hub's rule: above this a file is stored through LFS, whatever it holds.
INLINE_BYTES_MAX = 10 * MEBIBYTE


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress and are the same in every run."""
    return random.Random(seed).randbytes(size)


def text(size: int, seed: int = 0) -> bytes:
    """Lines of plain ASCII text, `size` bytes long."""
    return (noise(size // 2 + 1, seed).hex().encode())[: size - 1] + b"\n"


def sha256(data: bytes) -> str:
    """The name of these bytes in Git LFS."""
    return hashlib.sha256(data).hexdigest()


def git_oid(data: bytes) -> str:
    """The id git gives these bytes as a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def pointer_text(data: bytes) -> bytes:
    """The LFS pointer file that stands for these bytes in git."""
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
        sha256(data).encode(),
        len(data),
    )
