"""A local Hub for the whole run, a repo in it, and a fresh hubfs for each test."""

from __future__ import annotations

import itertools
from pathlib import Path

import gitview
import localhub
import mounting
import program
import pytest
from samples import MEBIBYTE, noise, text

FILES = {
    "config.json": b'{"model_type": "sample"}\n',
    "weights.safetensors": noise(12 * MEBIBYTE, seed=1),
    "onnx/model.onnx": noise(300_000, seed=2),
    "onnx/notes.txt": text(2_000, seed=3),
}

LINES = [f"line {number}\n" for number in range(1, 31)]
FILES_TO_EDIT = {
    "config.json": b'{"model_type": "sample"}\n',
    "notes.txt": "".join(LINES).encode(),
    "weights.bin": noise(11 * MEBIBYTE, seed=5),
    "data/a.txt": text(2_000, seed=6),
    "data/b.txt": text(3_000, seed=7),
    "data/deep/c.txt": b"deep\n",
}


def pytest_configure(config) -> None:
    if hasattr(config, "workerinput"):
        mounting.leave_mounts_of_others()


@pytest.fixture(scope="session")
def hub(tmp_path_factory) -> localhub.LocalHub:
    """A running Hub with `lab/sample`, and `lab/secret` that only its token may see."""
    root = tmp_path_factory.mktemp("hub") / "root"
    hub = localhub.LocalHub(root)
    hub.start()
    folder = tmp_path_factory.mktemp("sample")
    for path, data in FILES.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    hub.run("import", "--root", root, "lab/sample", folder)
    hub.run("import", "--root", root, "lab/secret", folder, "--private")
    hub.run("import", "--root", root, "lab/gated", folder, "--gated")
    yield hub
    hub.stop()


@pytest.fixture(scope="session")
def token(hub) -> str:
    return hub.create_token("lab", "read")


@pytest.fixture(autouse=True)
def mended(hub):
    """Each test begins and ends with a Hub that is well."""
    hub.clear_faults()
    hub.reset_stats()
    yield
    hub.clear_faults()


@pytest.fixture
def hubfs(hub, tmp_path):
    """hubfs with folders of its own; its mounts and daemons are gone afterwards."""
    hubfs = program.Program(tmp_path, hub.address.endpoint)
    yield hubfs
    hubfs.tear_down()


@pytest.fixture(scope="session")
def write_token(hub) -> str:
    return hub.create_token("editor", "write")


@pytest.fixture
def editor(hub, hubfs, write_token):
    """The same hubfs for somebody who may commit."""
    hubfs.environment["HF_TOKEN"] = write_token
    yield hubfs
    if hub.address is None:
        hub.start()


_numbers = itertools.count(1)


@pytest.fixture
def repo(hub, tmp_path) -> str:
    """A repo of one test's own, with FILES_TO_EDIT in it."""
    folder = tmp_path / "import"
    for path, data in FILES_TO_EDIT.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    name = f"lab/edited-{next(_numbers)}"
    hub.run("import", "--root", hub.root, name, folder)
    return name


@pytest.fixture
def git(hub, repo) -> gitview.GitView:
    """The repo as git sees it."""
    return gitview.GitView(hub.root / "models" / f"{repo}.git")


@pytest.fixture(scope="session")
def csi_modules(tmp_path_factory):
    """The messages and services of our csi.proto, in Python."""
    import csi_driver

    return csi_driver.generate(tmp_path_factory.mktemp("stubs"))


@pytest.fixture
def driver(hubfs, csi_modules):
    """A CSI driver that is not started yet; its process is gone afterwards."""
    import csi_driver

    driver = csi_driver.Driver(hubfs, csi_modules)
    yield driver
    driver.tear_down()


@pytest.fixture
def writable(repo, write_token):
    """What a publish request of a writable volume has beside the names."""
    attributes = {"sourceId": repo, "readOnly": "false"}
    return {"attributes": attributes, "secrets": {"token": write_token}}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed test shows what its daemons wrote."""
    report = yield
    if report.failed and (folder := item.funcargs.get("tmp_path")):
        for log in sorted(Path(folder).glob("state/hubfs/log/*.log")):
            report.sections.append((log.name, log.read_text()[-4000:]))
    return report
