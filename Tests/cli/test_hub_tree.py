"""`hubfs mount hf://`: the command line and `hubfs status`."""

from __future__ import annotations

import os

import program
import pytest


@pytest.mark.parametrize(
    "options",
    [
        ["--follow"], ["--branch", "dev"], ["--create-branch"], ["--record", "order"],
        ["-w", "--branch", "dev"], ["-o", "follow"],
    ],
    ids=lambda options: options[-1],
)  # fmt: skip
def test_what_belongs_to_one_repo_is_refused(hubfs, options):
    message = hubfs.fail(program.USAGE, "mount", "hf://", hubfs.mount_point(), *options)
    assert "hf://" in message


@pytest.mark.parametrize("source", ["hf://@main", "hf://models", "hf://models/", "models/"])
def test_parts_of_the_hub_are_no_source(hubfs, source):
    hubfs.fail(program.USAGE, "mount", source, hubfs.mount_point())


@pytest.mark.parametrize("command", ["ls", "warm", "stat"])
def test_other_commands_want_a_repo(hubfs, command):
    hubfs.fail(program.USAGE, command, "hf://")


@pytest.mark.parametrize("option", ["--repo-idle", "--names-ttl"])
def test_the_trees_options_are_not_for_one_repo(hubfs, option):
    message = hubfs.fail(
        program.USAGE, "mount", "lab/sample", hubfs.mount_point(), option, "10"
    )
    assert "hubfs mount hf:// DIR" in message


def test_mounts_in_the_background_and_tells_its_status(hubfs):
    path = hubfs.mount("hf://")
    assert sorted(os.listdir(path / "lab/sample")) == [
        ".gitattributes", "config.json", "onnx", "weights.safetensors",
    ]  # fmt: skip
    status = hubfs.status(path)
    assert status["source"] == "hf://"
    assert [repo["path"] for repo in status["tree"]["openRepos"]] == ["models/lab/sample"]
    commit = os.getxattr(path / "lab/sample", "user.hubfs.commit").decode()
    assert status["tree"]["openRepos"][0]["commit"] == commit
    assert f"models/lab/sample at {commit}" in hubfs.succeed("status", path)
    hubfs.succeed("umount", path)
    assert not program.is_mounted(path)


def test_a_tree_that_is_read_only_is_not_committed(hubfs):
    path = hubfs.mount("hf://")
    assert "read only" in hubfs.fail(program.USAGE, "commit", path)


def test_without_a_token_nothing_is_edited(hubfs):
    path = hubfs.mount_point()
    message = hubfs.fail(program.ACCESS_REFUSED, "mount", "-w", "hf://", path)
    assert "token" in message and "without -w" in message
    assert not program.is_mounted(path)


def test_one_repo_has_no_tree(hubfs):
    assert hubfs.status(hubfs.mount("lab/sample"))["tree"] is None


def test_fstabs_form(hubfs):
    path = hubfs.mount_point()
    hubfs.succeed("hf://", path, "-o", "ro,_netdev,repo_idle=30,names_ttl=5")
    assert sorted(os.listdir(path)) == ["datasets", "models", "spaces"]


def test_the_hub_is_not_asked_at_mounting(hub, hubfs):
    hub.reset_stats()
    hubfs.mount("hf://")
    assert hub.asked() == {}


@pytest.mark.parametrize("folder", ["models/lab/sample/onnx", "lab/sample@main/onnx"])
def test_a_path_of_the_tree_is_warmed(hub, hubfs, folder):
    path = hubfs.mount("hf://")
    hubfs.succeed("warm", path / folder)
    hub.reset_stats()
    assert (path / "models/lab/sample/onnx/model.onnx").stat().st_size == 300_000
    assert len((path / "models/lab/sample/onnx/model.onnx").read_bytes()) == 300_000
    assert "cdn" not in hub.asked()
    hubfs.fail(program.USAGE, "warm", path / "models")
