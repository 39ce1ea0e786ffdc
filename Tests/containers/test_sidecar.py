"""The image of packaging/Dockerfile, as a container that mounts for others: packaging/compose/sidecar.yaml
by hand."""

from __future__ import annotations

import subprocess

import localhub
import mounting
import program
import pytest
from conftest import FILES
from test_volumes import IDLE


@pytest.fixture(scope="module")
def image(engine, root_folder) -> str:
    dockerfile = localhub.REPOSITORY / "packaging/Dockerfile"
    engine.docker("build", "--tag", "hubfs", "--file", dockerfile, root_folder.parent)
    return "hubfs"


@pytest.fixture
def shared(tmp_path):
    """A folder on a mount that passes on what is mounted below it."""
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "model").mkdir()
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "--make-shared", folder], check=True)
    yield folder
    mounting.detach(folder / "model")
    mounting.detach(folder)


@pytest.fixture
def sidecar(engine, hub, image, shared, tmp_path):
    """Starts the sidecar; its arguments are those of `hubfs mount`."""
    data = tmp_path / "data"
    data.mkdir()

    def start(*arguments: object) -> str:
        container = engine.docker(
            "run", "--detach", "--network", "host", "--device", "/dev/fuse",
            "--cap-add", "SYS_ADMIN", "--env", f"HF_ENDPOINT={hub.address.endpoint}",
            "--volume", f"{data}:/data", "--volume", f"{shared}:/mnt:rshared",
            image, "mount", "--foreground", "--allow-other", *arguments, "/mnt/model",
        ).stdout.strip()  # fmt: skip
        health = ["exec", container, "/usr/bin/hubfs", "status", "/mnt/model"]
        program.wait_until(lambda: engine.docker(*health, check=False).returncode == 0)
        return container

    yield start
    engine.remove_containers()


def test_what_it_mounts_comes_to_slaves_and_not_to_private_ones(engine, sidecar, shared, repo):
    late = {
        kind: engine.start_container("-v", f"{shared}:/mnt:{kind}", *IDLE)
        for kind in ["rslave", "rprivate"]
    }
    sidecar(f"hf://{repo}")
    assert engine.execute(late["rslave"], "cat /mnt/model/data/a.txt") == "first\n"
    assert engine.execute(late["rprivate"], "ls /mnt/model") == ""
    # Who starts when the mount is there has it in any case, and keeps it.
    early = engine.start_container("-v", f"{shared}:/mnt:rprivate", *IDLE)
    assert engine.execute(early, "cat /mnt/model/data/a.txt") == "first\n"


def test_docker_stop_commits_and_takes_the_mount_away(
    engine, sidecar, shared, repo, token_file, git, tmp_path
):
    (tmp_path / "data/token").write_bytes(token_file.read_bytes())
    container = sidecar("--writable", "--token-file", "/data/token", f"hf://{repo}")
    app = engine.start_container("-v", f"{shared}:/mnt:rslave", *IDLE)
    engine.execute(app, "echo beside > /mnt/model/new.txt")
    engine.docker("stop", container)
    assert git.run("show", "main:new.txt") == b"beside\n"
    assert engine.execute(app, "ls /mnt/model") == ""
    assert FILES.keys() <= git.files()
