"""`scripts/package`: the Debian package of the program under test, and what is in it."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

import localhub
import mounting
import pytest
from conftest import FILES

pytestmark = [
    pytest.mark.skipif(shutil.which("dpkg-shlibdeps") is None, reason="dpkg-dev is not here"),
    # Stripping and packing a debug build, beside whatever else runs.
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("packages")
    done = subprocess.run(
        ["scripts/package", "--program", mounting.binary(), "--output", output],
        cwd=localhub.REPOSITORY, capture_output=True, text=True, timeout=390,
    )
    assert done.returncode == 0, done.stderr
    [package] = output.iterdir()
    return package


@pytest.fixture(scope="module")
def installed(package, tmp_path_factory) -> Path:
    """Its files, in a folder."""
    root = tmp_path_factory.mktemp("installed")
    subprocess.run(["dpkg-deb", "--extract", package, root], check=True, timeout=60)
    return root


def test_it_says_what_it_needs(package):
    fields = subprocess.run(
        ["dpkg-deb", "--field", package], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    [depends] = [line for line in fields.splitlines() if line.startswith("Depends: ")]
    for name in ("fuse3", "libc6", "libcurl4", "libfuse3-3", "libsqlite3-0"):
        assert f"{name} (" in depends
    assert "Package: hubfs\n" in fields
    assert package.name.startswith("hubfs_0.")


def test_its_files_belong_to_root(package):
    listed = subprocess.run(
        ["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    assert {line.split()[1] for line in listed} == {"root/root"}
    assert any(line.endswith("./usr/sbin/mount.hubfs -> ../bin/hubfs") for line in listed)
    assert any("./usr/lib/systemd/system/hubfs@.service" in line for line in listed)


def test_every_command_has_a_manual_page(hubfs, installed, tmp_path):
    help_text = hubfs.succeed("--help").partition("SUBCOMMANDS:")[2]
    commands = re.findall(r"^  ([a-z]+)", help_text, re.MULTILINE)
    assert {"mount", "run", "umount", "cache"} <= set(commands)
    pages = installed / "usr/share/man/man1"
    names = {page.name for page in pages.iterdir()}
    assert names == {"hubfs.1.gz", *(f"hubfs-{command}.1.gz" for command in commands)}
    run = gzip.decompress((pages / "hubfs-run.1.gz").read_bytes()).decode()
    assert "\\-\\-commit\\-on" in run and ".SH SYNOPSIS" in run
    if shutil.which("groff") is None:
        return
    for page in [*pages.iterdir(), *(installed / "usr/share/man/man8").iterdir()]:
        plain = tmp_path / page.stem
        plain.write_bytes(gzip.decompress(page.read_bytes()))
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-z", plain], capture_output=True, text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), page


def test_the_completions_are_there(installed):
    share = installed / "usr/share"
    bash = share / "bash-completion/completions/hubfs"
    done = subprocess.run(
        ["bash", "--norc", "-c", f"source {bash} && complete -p hubfs"],
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0 and "hubfs" in done.stdout, done.stderr
    assert (share / "zsh/vendor-completions/_hubfs").read_text().startswith("#compdef hubfs")
    assert "complete -c 'hubfs'" in (share / "fish/vendor_completions.d/hubfs.fish").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="mount(8) is for root")
def test_mount_finds_the_packages_helper(hubfs, installed):
    path = hubfs.mount_point()
    done = hubfs.run_as([
        "unshare", "--mount", "--propagation", "private", "sh", "-ec", f"""
        mount -t overlay -o lowerdir={installed}/usr:/usr none /usr
        mount -t hubfs hf://lab/sample {path}
        cat {path}/config.json
        umount {path}
        """,
    ])
    assert done.returncode == 0, done.stderr
    assert done.stdout == FILES["config.json"].decode()
