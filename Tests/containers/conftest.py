"""A dockerd and a local Hub for the whole run, and a plugin with volumes for each test."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import gitview
import localhub
import mounting
import program
import pytest
from engine import Engine
from samples import noise
from volume_plugin import VolumePlugin

FILES = {
    "config.json": b'{"model_type": "sample"}\n',
    "weights.bin": noise(3_000_000, seed=91),
    "data/a.txt": b"first\n",
}

SOCKET = Path("/run/docker/plugins/hubfs.sock")


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    engine = Engine(tmp_path_factory.mktemp("engine"))
    try:
        try:
            engine.start()
            engine.import_busybox()
            engine.run("busybox", "true")
        except (AssertionError, subprocess.TimeoutExpired) as trouble:
            # Nothing of hubfs took part: this machine's kernel has not what dockerd needs.
            pytest.skip(f"dockerd runs no container here at all: {str(trouble)[-2000:]}")
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    hub = localhub.LocalHub(tmp_path_factory.mktemp("hub") / "root")
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture(autouse=True)
def mended(hub):
    yield
    hub.clear_faults()


@pytest.fixture(scope="session")
def write_token(hub) -> str:
    return hub.create_token("editor", "write")


_numbers = itertools.count(1)


@pytest.fixture
def repo(hub, tmp_path) -> str:
    """A repo of one test's own."""
    folder = tmp_path / "import"
    for path, data in FILES.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    name = f"lab/boxed-{next(_numbers)}"
    hub.run("import", "--root", hub.root, name, folder)
    return name


@pytest.fixture
def git(hub, repo) -> gitview.GitView:
    return gitview.GitView(hub.root / "models" / f"{repo}.git")


@pytest.fixture
def token_file(tmp_path, write_token) -> Path:
    path = tmp_path / "token"
    path.write_text(write_token + "\n")
    return path


@pytest.fixture
def hubfs(hub, tmp_path):
    hubfs = program.Program(tmp_path, hub.address.endpoint)
    yield hubfs
    hubfs.tear_down()


@pytest.fixture
def plugin(engine, hubfs):
    """The plugin on the machine, with nothing in its folders."""
    plugin = VolumePlugin(hubfs, SOCKET).start()
    yield plugin
    engine.remove_containers()
    plugin.tear_down()


@pytest.fixture
def volume(engine, plugin):
    """Makes volumes by the docker command, under names that no other test has."""

    def create(**options: str) -> str:
        name = f"volume{next(_numbers)}"
        words = [f"--opt={key.replace('_', '-')}={value}" for key, value in options.items()]
        engine.docker("volume", "create", "--driver", "hubfs", *words, name)
        plugin.hubfs.unmounted_at_the_end(plugin.mount_root / name)
        return name

    return create


@pytest.fixture
def writable(volume, repo, token_file):
    """Makes writable volumes of the test's repo."""
    return lambda **more: volume(repo=repo, rw="true", token_file=str(token_file), **more)


@pytest.fixture(scope="session")
def root_folder(tmp_path_factory) -> Path:
    """What packaging/rootfs makes of the program under test."""
    folder = tmp_path_factory.mktemp("image") / "rootfs"
    command = [localhub.REPOSITORY / "packaging/rootfs", folder, mounting.binary()]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed test shows what its daemons wrote."""
    report = yield
    if report.failed and (folder := item.funcargs.get("tmp_path")):
        for log in [*sorted(Path(folder).glob("state/hubfs/log/*.log")), *folder.glob("plugin.log")]:
            report.sections.append((log.name, log.read_text()[-4000:]))
    if report.failed and (engine := item.funcargs.get("engine")):
        report.sections.append(("dockerd", engine.log.read_text()[-3000:]))
    return report
