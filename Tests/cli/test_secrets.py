"""A token is used, and seen nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import program
from conftest import FILES


def everything_written(hubfs) -> bytes:
    """What the daemons wrote: logs, cache and state."""
    files = [*hubfs.logs(), *(path for path in hubfs.cache.rglob("*") if path.is_file())]
    return b"".join(path.read_bytes() for path in files)


def test_a_token_file_leaves_no_trace(hubfs, token):
    secret = hubfs.folder / "token"
    secret.write_text(token)
    secret.chmod(0o600)
    path = hubfs.mount("lab/secret", "--token-file", secret, "--log-level", "trace")
    weights = (path / "weights.safetensors").read_bytes()
    assert weights == FILES["weights.safetensors"]
    pid = hubfs.status(path)["pid"]
    for name in ["cmdline", "environ"]:
        assert token.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    assert token not in hubfs.succeed("status", path, "--json")
    assert token.encode() not in everything_written(hubfs)


def test_a_token_of_the_environment_is_not_on_the_command_line(hubfs, token):
    path = hubfs.mount_point()
    hubfs.succeed(
        "mount", "lab/secret", path, "--log-level", "trace", environment={"HF_TOKEN": token}
    )
    assert (path / "config.json").exists()
    for name in os.listdir("/proc"):
        if name.isdigit():
            assert not any(token in word for word in program.command_line(int(name)))
    assert token.encode() not in everything_written(hubfs)
    assert token not in hubfs.succeed("log", path)


def test_signed_addresses_are_not_logged(hub, hubfs, token):
    path = hubfs.mount_point()
    hubfs.succeed(
        "mount", "lab/secret", path, "--log-level", "trace", "--read-timeout", 2,
        environment={"HF_TOKEN": token},
    )
    hub.add_fault("--status", 503, "--class", "cdn")
    try:
        (path / "weights.safetensors").read_bytes()
        raise AssertionError("a read without a CDN succeeded")
    except OSError:
        pass
    log = everything_written(hubfs)
    assert b"503" in log
    assert b"Signature" not in log and b"sig=" not in log


def test_writing_leaves_no_token_and_no_signed_address(hub, editor, repo, write_token):
    """Also not in the journal, while the end of a commit is not known."""
    path = editor.mount(repo, "-w", "--log-level", "trace")
    (path / "new.bin").write_bytes(os.urandom(100_000))
    (path / "parts.bin").write_bytes(os.urandom(21 << 20))
    hub.reset_stats()
    hub.add_fault("--lose-answer", "--to", "commit", "--count", 1)
    hub.add_fault("--status", 403, "--to", "commits")
    editor.fail(program.UNSENT, "commit", path)
    endpoints = hub.stats()["endpoints"]
    assert endpoints["lfs-upload"] > 0 and endpoints["lfs-part"] > 0 and endpoints["commit"] > 0
    state = [path for path in (editor.folder / "state").rglob("*") if path.is_file()]
    written = everything_written(editor) + b"".join(path.read_bytes() for path in state)
    assert b"parts.bin" in written
    for secret in (write_token.encode(), b"Signature", b"sig=", b"Bearer"):
        assert secret not in written
    assert write_token not in editor.succeed("status", path, "--json")
    hub.clear_faults()
