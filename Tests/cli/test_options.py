"""The command line: forms, options, and what is said of those that are not known."""

from __future__ import annotations

import os
import re
import shutil

import localhub
import mounting
import program
import pytest

COMMANDS = [
    "mount", "umount", "commit", "pull", "status", "log", "ls", "cat", "stat", "cache", "doctor",
]


def test_version(hubfs):
    assert re.fullmatch(r"hubfs \d+\.\d+\.\d+\n", hubfs.succeed("--version"))


def test_the_exit_codes_are_the_documented_ones(hubfs):
    """docs/ERRORS.md, the help and the source agree."""
    document = (localhub.REPOSITORY / "docs/ERRORS.md").read_text().partition("## Exit codes")[2]
    source = (localhub.REPOSITORY / "Sources/hubfs/ExitCode.swift").read_text()
    help_text = " ".join(hubfs.succeed("--help").split()).partition("Exit codes:")[2]
    documented = re.findall(r"^\| (\d+) \|", document, re.MULTILINE)
    assert documented == re.findall(r"case \w+ = (\d+)", source)
    assert documented == re.findall(r"\d+", help_text.partition(".")[0])


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(hubfs, command):
    assert f"USAGE: hubfs {command}" in hubfs.succeed(command, "--help")


def test_a_token_is_not_an_option(hubfs):
    message = hubfs.fail(
        program.USAGE, "mount", "--token", "hf_secret", "lab/sample", hubfs.mount_point()
    )
    assert "--token" in message


@pytest.mark.parametrize(
    "arguments", [["--bogus"], ["mount"], ["mount", "a/b"], ["ls"], ["cache", "rm"], ["umount"]]
)
def test_what_is_not_understood(hubfs, arguments):
    hubfs.fail(program.USAGE, *arguments)


@pytest.mark.parametrize(
    ("word", "meant"), [("umuont", "umount"), ("statsu", "status"), ("mont", "mount")]
)
def test_a_misspelt_command_is_recognised(hubfs, word, meant):
    assert f"did you mean '{meant}'?" in hubfs.fail(program.USAGE, word, hubfs.mount_point())


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("alow_other", "allow-other"),
        ("cachesize=1G", "cache-size"),
        ("read_timout=5", "read-timeout"),
        ("tokenfile=x", "token-file"),
        ("umaks=022", "umask"),
    ],
)
@pytest.mark.parametrize("form", [["mount"], []])
def test_a_misspelt_option_is_refused_with_what_was_meant(hubfs, form, option, meant):
    path = hubfs.mount_point()
    message = hubfs.fail(program.USAGE, *form, "lab/sample", path, "-o", f"nofail,{option}")
    assert f"did you mean '{meant}'?" in message
    assert not program.is_mounted(path)


def test_an_option_nobody_knows_is_refused_with_a_list(hubfs):
    message = hubfs.fail(
        program.USAGE, "mount", "lab/sample", hubfs.mount_point(), "-o", "frobnicate"
    )
    assert "frobnicate" in message and "cache-size" in message


@pytest.mark.parametrize(
    "options", ["cache_size=lots", "uid=me", "umask=999", "read_timeout=0", "uid", "allow_other=1"]
)
def test_a_value_that_does_not_fit_is_refused(hubfs, options):
    hubfs.fail(program.USAGE, "mount", "lab/sample", hubfs.mount_point(), "-o", options)


def test_the_form_of_fstab(hubfs):
    path = hubfs.mount_point()
    # mount(8) says rw of everything that is not ro.
    done = hubfs.run(
        "hf://lab/sample", path, "-o",
        "rw,_netdev,nofail,noauto,x-systemd.automount,user,dev,suid,exec,uid=1234,umask=027",
    )
    assert (done.returncode, done.stderr) == (0, "")
    status = os.stat(path / "config.json")
    assert (status.st_uid, status.st_mode & 0o777) == (1234, 0o640)
    with pytest.raises(OSError):
        (path / "new").touch()


def test_mount_fuse3_runs_it(hubfs):
    helper = shutil.which("mount.fuse3", path="/sbin:/usr/sbin")
    assert helper, "the package fuse3 has it"
    programs = hubfs.folder / "bin"
    programs.mkdir()
    (programs / "hubfs").symlink_to(mounting.binary())
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    for source, options in [
        ("hubfs#hf://lab/sample", ["-o", "ro,nofail"]),
        ("lab/sample", ["-t", "fuse.hubfs", "-o", "ro,_netdev,allow_other"]),
    ]:
        path = hubfs.mount_point()
        done = hubfs.run_as([helper, source, path, *options], environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert (path / "config.json").exists()


def test_as_a_mount_helper_it_can_be_faked(hubfs):
    """man 8 mount: -f does everything but the mount itself."""
    helper = hubfs.folder / "mount.fuse.hubfs"
    helper.symlink_to(mounting.binary())
    path = hubfs.mount_point()
    arguments = ["lab/sample", path, "-n", "-v", "-o", "ro,nofail", "-t", "fuse.hubfs"]
    assert hubfs.run_as([helper, *arguments, "-f"]).returncode == 0
    assert not program.is_mounted(path)
    assert hubfs.run_as([helper, *arguments]).returncode == 0
    assert program.is_mounted(path)


def test_both_forms_of_options_can_be_mixed(hubfs):
    path = hubfs.mount("lab/sample", "--uid", 1, "-o", "uid=2,gid=3", "-o", "umask=077")
    status = os.stat(path / "config.json")
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (2, 3, 0o600)


def test_a_comma_can_be_escaped(hubfs):
    cache = hubfs.folder / "a,b"
    escaped = str(cache).replace(",", "\\,")
    path = hubfs.mount("lab/sample", "-o", f"cache_dir={escaped},nofail")
    assert hubfs.status(path)["cache"]["path"] == str(cache)
