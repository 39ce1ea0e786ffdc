"""Repos of the kind `kernel`: made by the official client, read and edited through mounts."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from contents import errno_of
from huggingface_hub import HfApi
from samples import noise

WHEEL = noise(200_000, seed=7)


@pytest.fixture
def api(hub, write_token) -> HfApi:
    return HfApi(endpoint=hub.address.endpoint, token=write_token)


@pytest.fixture
def kernel(api, request) -> str:
    """A kernel whose version 1 is a branch."""
    name = f"lab/{request.node.name.replace('_', '-')[-40:].strip('-')}"
    api.create_repo(name, repo_type="kernel")
    api.create_branch(name, branch="v1", repo_type="kernel")
    for path, data in (("build/op.so", WHEEL), ("build.toml", b"[general]\n")):
        api.upload_file(
            path_or_fileobj=data, path_in_repo=path, repo_id=name, repo_type="kernel", revision="v1"
        )
    return name


def test_a_kernel_is_read_at_a_version(new_mount, api, kernel):
    mount = new_mount(f"hf://kernels/{kernel}@v1")
    assert (mount.path / "build/op.so").read_bytes() == WHEEL
    assert (mount.path / "build.toml").read_text() == "[general]\n"
    commit = os.getxattr(mount.path, "user.hubfs.commit").decode()
    assert commit == api.kernel_info(kernel, revision="v1").sha
    [status] = json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"]
    assert (status["repo"], status["revision"]) == (f"kernels/{kernel}", "v1")
    assert "build.toml" not in os.listdir(new_mount(f"hf://kernels/{kernel}").path)


def test_a_kernel_is_edited(new_editable_mount, api, kernel, tmp_path):
    mount = new_editable_mount(f"hf://kernels/{kernel}@v1", "-w")
    (mount.path / "build.toml").write_text("[general]\nname = 'op'\n")
    (mount.path / "build/other.so").write_bytes(WHEEL[::-1])
    (mount.path / "build/op.so").unlink()
    assert mount.unmount() == 0
    names = api.list_repo_files(kernel, revision="v1", repo_type="kernel")
    assert set(names) == {".gitattributes", "build.toml", "build/other.so"}
    for path, data in (("build/other.so", WHEEL[::-1]), ("build.toml", b"[general]\nname = 'op'\n")):
        local = api.hf_hub_download(
            kernel, path, revision="v1", repo_type="kernel", cache_dir=tmp_path / "official"
        )
        assert Path(local).read_bytes() == data


def test_kernels_are_not_in_the_whole_hub(hub, new_mount, kernel):
    tree = new_mount("hf://").path
    assert sorted(os.listdir(tree)) == ["datasets", "models", "spaces"]
    assert errno_of(lambda: os.stat(tree / "kernels" / kernel)) is not None


def test_the_hub_knows_less_of_kernels(hub, kernel):
    url = f"{hub.address.endpoint}/api/kernels/{kernel}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert set(json.load(answer)) == {
            "id", "author", "downloads", "gated", "lastModified", "likes", "private", "sha",
        }  # fmt: skip
    for query in ("?expand=sha", "?blobs=true"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url + query, timeout=60)
        assert refused.value.code == 400
