"""Options from variables and configuration files: docs/CONFIGURATION.md."""

from __future__ import annotations

import itertools
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mounting
import program
import pytest
import volume_plugin
from conftest import FILES

MODEL = "hf://lab/sample"


@pytest.fixture
def config(hubfs):
    """Writes the user's configuration file."""
    path = hubfs.folder / "config/hubfs/config.toml"
    path.parent.mkdir(parents=True)

    def write(text: str) -> Path:
        path.write_text(text)
        return path

    return write


def shown(hubfs, *arguments) -> dict[str, tuple]:
    """What is set: values and where they are from."""
    options = hubfs.json("config", "show", *arguments)["options"]
    return {
        option["option"]: (option["value"], option["origin"])
        for option in options
        if option["value"] is not None
    }


def owner(path: Path) -> tuple[int, int]:
    status = os.stat(path / "config.json")
    return status.st_uid, status.st_gid


# Where options are said.


def test_a_mount_takes_options_from_everywhere(hubfs, config):
    config(
        "uid = 1\ngid = 1\numask = '077'\ncache-size = '100M'\n"
        f"[repo.'{MODEL}']\nuid = 2\ngid = 2\n"
        "[repo.'hf://lab/other']\nuid = 9\n"
    )
    hubfs.environment["HUBFS_GID"] = "3"
    path = hubfs.mount(MODEL)
    assert owner(path) == (2, 3)
    assert os.stat(path / "config.json").st_mode & 0o777 == 0o600
    assert hubfs.status(path)["cache"]["limitBytes"] == 100 << 20
    assert (path / "config.json").read_bytes() == FILES["config.json"]
    # The command line is the strongest, whatever form it has.
    for source, options in [
        (MODEL, ["--uid", "4", "--gid=4"]), (f"{MODEL}@main", ["-o", "uid=4,gid=4"]),
    ]:
        assert owner(hubfs.mount(source, *options)) == (4, 4)


def test_what_mount_runs_takes_them_too(hubfs, config):
    config("uid = 5\nwritable = true\n")
    path = hubfs.mount_point()
    hubfs.succeed(MODEL, path, "-o", "ro,nofail,gid=6")
    assert owner(path) == (5, 6)
    other = hubfs.folder / "other.toml"
    other.write_text("uid = 7\n")
    path = hubfs.mount_point()
    hubfs.succeed(MODEL, path, "-o", f"rw,config={other}")
    assert owner(path)[0] == 7
    assert "--config" in hubfs.fail(
        program.USAGE, "mount", MODEL, hubfs.mount_point(), "-o", "config=x"
    )


def test_each_volume_has_the_section_of_its_repo(hubfs, config, token):
    secret = hubfs.folder / "token"
    secret.write_text(token)
    config(f"uid = 1\n[repo.'{MODEL}']\nuid = 2\n[repo.'lab/secret']\ntoken-file = '{secret}'\n")
    first, second = hubfs.mount_point(), hubfs.mount_point()
    hubfs.succeed("mount", "-v", f"{MODEL}:{first}", "-v", f"hf://lab/secret@main/onnx:{second}")
    assert os.stat(first / "config.json").st_uid == 2
    assert os.stat(second / "notes.txt").st_uid == 1
    hubfs.succeed("umount", first)
    command = ["stat", "-c", "%u", str(first / "config.json")]
    assert hubfs.succeed("run", "-v", f"{MODEL}:{first}", "--", *command) == "2\n"
    options = ["-o", "uid=3"]
    assert hubfs.succeed("run", "-v", f"{MODEL}:{first}", *options, "--", *command) == "3\n"


def test_a_read_ends_after_the_time_that_is_said(hubfs, config, hub):
    config("read-timeout = 0.5\n")
    path = hubfs.mount(MODEL)
    os.listdir(path)
    hub.add_fault("--stall", "--class", "cdn")
    with pytest.raises(OSError):
        (path / "weights.safetensors").read_bytes()


def test_offline_is_said_and_taken_back(hubfs, config):
    config("offline = true\n")
    numbers = itertools.count(1)
    hubfs.fail(program.HUB_UNAVAILABLE, "ls", MODEL)
    for environment, options in [
        ({}, ["--offline=false"]), ({}, ["--no-offline"]), ({"HUBFS_OFFLINE": "no"}, []),
        ({"HF_HUB_OFFLINE": "0"}, []), ({"HF_HUB_OFFLINE": "1"}, ["--no-offline"]),
        ({"HF_HUB_OFFLINE": "1", "HUBFS_OFFLINE": "0"}, []),
        ({"HUBFS_CONFIG": "/dev/null"}, []), ({}, ["--config", "/dev/null"]),
    ]:
        environment["HUBFS_CACHE"] = str(hubfs.folder / f"fresh{next(numbers)}")
        done = hubfs.run_as([mounting.binary(), "ls", MODEL, *options], environment)
        assert done.returncode == 0, (environment, options, done.stderr)


def test_the_older_variables_go_before_the_file(hubfs, config):
    config("endpoint = 'http://127.0.0.1:1'\ncache-dir = '/proc/none'\n")
    assert "config.json" in hubfs.succeed("ls", MODEL)
    assert shown(hubfs)["endpoint"] == (hubfs.environment["HF_ENDPOINT"], "HF_ENDPOINT")
    del hubfs.environment["HUBFS_CACHE"]
    assert "/proc/none" in hubfs.fail(program.LOCAL_STORAGE, "ls", MODEL)


def test_the_systems_file_lies_below_the_users(hubfs, config):
    """In a mount namespace with an /etc of its own."""
    config("uid = 1\n")
    if os.geteuid() != 0:
        pytest.skip("only root can have another /etc for a while")
    system = hubfs.folder / "system.toml"
    system.write_text(f"uid = 3\n[repo.'{MODEL}']\nuid = 4\ngid = 4\n")
    script = (
        "mount -t tmpfs none /etc && mkdir /etc/hubfs && "
        f"cp {system} /etc/hubfs/config.toml && exec \"$@\""
    )
    done = hubfs.run_as(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh",
         mounting.binary(), "config", "show", "--json", MODEL])  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["files"][1] == "/etc/hubfs/config.toml"
    values = {option["option"]: (option["value"], option["origin"]) for option in report["options"]}
    assert values["uid"] == ("1", f"{hubfs.folder}/config/hubfs/config.toml:1")
    assert values["gid"] == ("4", "/etc/hubfs/config.toml:4")


def test_every_command_that_gets_a_repo_looks_for_its_section(hubfs, config):
    config(f"[repo.'{MODEL}']\noffline = true\n")
    for words in [
        ["mount", MODEL, hubfs.mount_point()], ["ls", f"{MODEL}/onnx"], ["stat", MODEL],
        ["cat", f"{MODEL}/config.json", f"{MODEL}/onnx/notes.txt"], ["warm", f"{MODEL}@main"],
        ["stat", hubfs.environment["HF_ENDPOINT"] + "/lab/sample"],
    ]:
        hubfs.fail(program.HUB_UNAVAILABLE, *words)
    # Several repos have no section in common.
    hubfs.fail(program.NOT_FOUND, "cat", f"{MODEL}/config.json", "lab/secret/config.json")


def test_dockers_volumes_take_them(hubfs, config):
    """A volume is a `hubfs mount` with the plugin's variables and files; its own options go before."""
    config("uid = 8\ngid = 8\numask = '077'\ncheck = true\n")
    hubfs.environment["HUBFS_GID"] = "7"
    plugin = volume_plugin.VolumePlugin(hubfs)
    try:
        plugin.start()
        plugin.create("model", uri=MODEL, umask="027")
        path = plugin.mount("model", "container")
        assert owner(path) == (8, 7)
        assert os.stat(path / "config.json").st_mode & 0o777 == 0o640
        plugin.unmount("model", "container")
    finally:
        plugin.tear_down()


# What contradicts, and what is not understood.


def test_what_contradicts_the_command_line_gives_way(hubfs, config):
    config(
        "writable = true\nfollow = 10\nnames-ttl = 5\njson = true\nyes = true\ncheck = true\n"
        f"message = 'x'\n[repo.'{MODEL}']\nwritable = false\n"
    )
    path = hubfs.mount_point()
    # follow and writable are of one place, and exclude each other.
    message = hubfs.fail(program.USAGE, "mount", "lab/other", path)
    assert "--follow is from" in message and "config.toml:2" in message
    # The section is stronger; names-ttl is for hf:// alone.
    assert "follow" in hubfs.status(hubfs.mount(MODEL))
    assert hubfs.run("status", "--check").returncode == 0
    assert json.loads(hubfs.succeed("recover"))["workspaces"] == []
    hubfs.mount("hf://", "--no-writable", "--follow=")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nraed-timeout = 5", ":2: no command has an option 'raed-timeout'; did you mean 'read-timeout'?"),
        ("frobnicate = 5", ":1: no command has an option 'frobnicate'"),
        ("config = 'x'", ":1: no command has an option 'config'"),
        ("help = true", ":1: no command has an option 'help'"),
        ("read-timeout = 'soon'", ":1: The value 'soon' is invalid for '--read-timeout <seconds>'"),
        ("read-timeout = true", ":1: 'read-timeout' takes a value, and not true or false"),
        ("endpoint = 'hub.co'", ":1: The value 'hub.co' is invalid for '--endpoint <url>': it is no"),
        ("offline = 1", ":1: 'offline' is true or false"),
        ("cache-size = 50G", ":1: write the value of 'cache-size' in quotes"),
        ("[mount]", ":1: the tables of this file are those of repos"),
        ("uid = 1\n[repo.'a/b/c/d@x']", ":2: "),
        ("[repo.'hf://lab/sample/onnx']", ":1: a section is for a repo as a whole"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named_with_its_line(hubfs, config, text, message):
    path = config(text)
    # It would go before the file.
    del hubfs.environment["HF_ENDPOINT"]
    assert f"hubfs: {path}{message}" in hubfs.fail(program.USAGE, "ls", MODEL)


def test_a_variable_that_is_not_understood_is_named(hubfs):
    for name, value, message in [
        ("HUBFS_OFFLINE", "maybe", "HUBFS_OFFLINE: 'maybe' is neither true nor false"),
        ("HUBFS_READ_TIMEOUT", "x", "HUBFS_READ_TIMEOUT: The value 'x' is invalid"),
        ("HUBFS_CACHE_SIZE", "x", "HUBFS_CACHE_SIZE: The value 'x' is invalid"),
    ]:
        done = hubfs.run_as([mounting.binary(), "ls", MODEL], {name: value})
        assert done.returncode == program.USAGE
        assert f"hubfs: {message}" in done.stderr
    # Others may have names that begin so: an orchestrator, our own scripts.
    done = hubfs.run_as(
        [mounting.binary(), "config", "show"],
        {"HUBFS_SERVICE_HOST": "10.0.0.1", "HUBFS_RAED_TIMEOUT": "1"},
    )
    assert done.returncode == 0
    assert "HUBFS_RAED_TIMEOUT" in done.stderr and "HUBFS_READ_TIMEOUT" in done.stderr
    assert "SERVICE" not in done.stderr


def test_files_that_are_not_there(hubfs):
    hubfs.fail(program.LOCAL_STORAGE, "--config", "/nowhere/at/all", "status")
    hubfs.fail(program.LOCAL_STORAGE, "status", "--config=/nowhere/at/all")
    hubfs.fail(program.USAGE, "status", "--config")
    assert hubfs.succeed("status") == "nothing is mounted\n"


def test_a_file_of_somebody_else_is_not_taken(hubfs, config):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = config("uid = 1\n")
    os.chown(path, 1234, 1234)
    assert "belongs to user 1234" in hubfs.fail(program.USAGE, "status")
    hubfs.succeed("status", "--config", path)


def test_a_file_in_disorder_does_not_hide_the_help(hubfs, config):
    path = config("???")
    for words in [["--help"], ["--version"], ["mount", "--help"], ["help", "mount"]]:
        hubfs.succeed(*words)
    assert hubfs.succeed("config", "path") == f"{path}\n"
    hubfs.fail(program.USAGE, "status")


# hubfs config


def test_show_is_a_configuration_file(hubfs, config):
    import tomllib

    config("uid = 3\noffline = false\ninclude = ['*.json', 'a \\ b']\nmessage = 'say \"é\"'\n")
    text = hubfs.succeed("config", "show")
    values = tomllib.loads(text)
    expected = {"uid": "3", "offline": False, "include": ["*.json", "a \\ b"], "message": 'say "é"'}
    assert expected.items() <= values.items()
    # What it prints is read as what it was.
    config(text)
    assert tomllib.loads(hubfs.succeed("config", "show")) == values


@pytest.mark.timeout(400)
def test_what_is_taken_means_the_same_to_another_reader(hubfs):
    """Pieces of lines, put together at random: read as Python reads them, or refused."""
    import tomllib

    pieces = [
        "uid", "'uid'", " = ", " ", "\t", "3", "-3", "+3", "0", "07", "1.5", "1e3", "0x1", "1_0", "true",
        "inf", "'a'", '"a"', r'"\n\u00e9"', r'"\q"', "'''a'''", '""', "''", "['a', 1]", "[1,]", "[",
        "]", ",", "{}", "#", "# é", "\n", "\r\n", ".", "\n[repo.'hf://o/m']", "\nuid = 4 # x",
    ]  # fmt: skip
    source = random.Random(7)
    texts = [
        "message = " + "".join(source.choices(pieces, k=source.randrange(1, 4))) for _ in range(150)
    ]

    def ours(number_and_text) -> tuple[str, dict | None]:
        number, text = number_and_text
        path = hubfs.folder / f"{number}.toml"
        path.write_bytes(text.encode())
        done = hubfs.run_as([mounting.binary(), "--config", path, "config", "show", "--json"])
        if done.returncode != 0:
            assert done.returncode == program.USAGE and str(path) in done.stderr, done.stderr
            return text, None
        options = json.loads(done.stdout)["options"]
        return text, {
            each["option"]: each["value"]
            for each in options
            if (each["origin"] or "").startswith(str(path))
        }

    with ThreadPoolExecutor(4) as pool:
        read = [each for each in pool.map(ours, enumerate(texts)) if each[1] is not None]
    assert len(read) > 15
    for text, values in read:
        theirs = {
            key: value if isinstance(value, bool) else str(value)
            for key, value in tomllib.loads(text).items()
            if key != "repo"
        }
        assert values == theirs, text


def test_show_says_where_from_and_no_secrets(hubfs, config):
    path = config(f"read-timeout = 60\n[repo.'{MODEL}']\nread-timeout = 5\n")
    hubfs.environment |= {
        "HUBFS_UID": "12", "HF_TOKEN": "hf_abcdefghijklmnop", "HF_ENDPOINT": "https://me:pw@host/x",
    }  # fmt: skip
    text = hubfs.succeed("config", "show", "--origin")
    lines = text.splitlines()
    assert f'read-timeout = "60"  # {path}:1' in lines
    assert 'uid = "12"  # HUBFS_UID' in lines
    assert '# log-level = "info"  # default' in lines
    assert 'token-file = "(a token)"  # HF_TOKEN' in lines
    assert "hf_abc" not in text and "pw" not in text
    assert "hf_abc" not in hubfs.succeed("config", "show", "--json")
    assert shown(hubfs, MODEL)["read-timeout"] == ("5", f"{path}:3")
    assert shown(hubfs, "lab/sample@v1")["read-timeout"] == ("5", f"{path}:3")
    assert shown(hubfs, "hf://")["read-timeout"] == ("60", f"{path}:1")
