"""A local Hub for the whole run, and mounts that are gone after each test."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import localhub
import mounting
import pytest
from hub_tree import Account
from reference_model.comparison import names_below


# The official client reads its settings while it is imported. The Hub of most tests offers no Xet.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

# Their assertions show what differs, as those of the tests do.
pytest.register_assert_rewrite("published")


def pytest_configure(config) -> None:
    if hasattr(config, "workerinput"):
        mounting.leave_mounts_of_others()


@pytest.fixture(scope="session")
def hub(tmp_path_factory) -> localhub.LocalHub:
    """A running Hub."""
    hub = localhub.LocalHub(tmp_path_factory.mktemp("hub") / "root")
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture(autouse=True)
def mended(hub):
    """Each test begins and ends with a Hub that is well."""
    hub.clear_faults()
    hub.reset_stats()
    yield
    if hub.address is None:
        hub.start()
    hub.clear_faults()


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def import_repo(hub, tmp_path_factory):
    """Imports files as a repo: import_repo({"a/b.txt": b"…"}). Returns its id."""

    def make(files: dict[str, bytes], *options: str, name: str | None = None) -> str:
        folder = tmp_path_factory.mktemp("import")
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return import_folder(hub, folder, *options, name=name)

    return make


def import_folder(hub, folder: Path, *options: str, name: str | None = None) -> str:
    repo = f"lab/{name or f'repo-{next(_numbers)}'}"
    hub.run("import", "--root", hub.root, repo, folder, *options)
    return repo


@contextlib.contextmanager
def mounts(hub, folder: Path, token: str | None = None):
    """Gives a function that makes mounts in a folder, and ends them all."""
    made: list[mounting.Mount] = []

    def make(source: str, *options: object, cache: Path | None = None, start: bool = True):
        place = folder / f"m{len(made)}"
        place.mkdir()
        mount = mounting.Mount(place, hub.address.endpoint, cache, token)
        made.append(mount)
        return mount.start(source, *options) if start else mount

    try:
        yield make
    finally:
        for mount in made:
            mount.tear_down()


@pytest.fixture
def new_mount(hub, tmp_path):
    """Makes mounts: new_mount(source, *options). Each has a cache of its own unless told."""
    with mounts(hub, tmp_path) as make:
        yield make


@pytest.fixture(scope="session")
def write_token(hub) -> str:
    return hub.create_token("lab", "write")


@pytest.fixture
def new_editable_mount(hub, tmp_path, write_token):
    """Makes mounts for somebody who may write to the repos of these tests."""
    with mounts(hub, tmp_path, write_token) as make:
        yield make


@pytest.fixture
def account(hub, write_token) -> Account:
    """An account of one test's own, for tests of the whole Hub's tree."""
    return Account(hub, write_token)


@pytest.fixture
def model(account) -> str:
    """A small model of that account."""
    return account.create("model", files={"config.json": "{}\n", "sub/a.txt": "a\n"})


@pytest.fixture(scope="module")
def new_shared_mount(hub, tmp_path_factory):
    """The same for mounts that many tests use, who leave them as they are."""
    with mounts(hub, tmp_path_factory.mktemp("shared")) as make:
        yield make


@pytest.fixture
def both(mount, tmp_path) -> Callable:
    """Does something in a test's `mount` and in a folder with the same files, and compares the two.

    The mount is compared a second time after its daemon was killed and started again.
    """

    def do(action: Callable[[Path], None], *, ignoring: tuple[str, ...] = ()) -> Path:
        plain = tmp_path / "plain"
        shutil.copytree(mount.path, plain, symlinks=True)
        action(plain)
        action(mount.path)
        compare(plain, mount.path, ignoring)
        mount.kill()
        mount.restart()
        compare(plain, mount.path, ignoring)
        return mount.path

    return do


def compare(plain: Path, mount: Path, ignoring: tuple[str, ...]) -> None:
    names = names_below(str(plain))
    assert names_below(str(mount)) == names
    for name in names:
        expected, found = (plain / name).lstat(), (mount / name).lstat()
        assert found.st_mode == expected.st_mode, name
        if stat.S_ISREG(expected.st_mode) and not name.startswith(ignoring or "\0"):
            assert (mount / name).read_bytes() == (plain / name).read_bytes(), name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed test shows what its daemons wrote."""
    report = yield
    if report.failed and (folder := item.funcargs.get("tmp_path")):
        for log in sorted(folder.glob("*/hubfs.log")):
            report.sections.append((str(log.relative_to(folder)), log.read_text()[-4000:]))
    return report


def run(*command: object, timeout: float = 120, **options) -> subprocess.CompletedProcess:
    """Runs a program that must succeed."""
    return subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, timeout=timeout, **options
    )
