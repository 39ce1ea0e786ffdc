"""Starts a localhub for the whole run, and points the official client at it.

The client reads its settings while it is imported, so the server must run, and the environment be
set, before the first test module is collected.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import localhub
import pytest
from gitview import GitView
from repo import Repo

NAMESPACE = "lab"

_session_folder = pytest.StashKey[Path]()
_session_hub = pytest.StashKey[localhub.LocalHub]()


def pytest_configure(config: pytest.Config) -> None:
    if not localhub.binary().exists():
        pytest.exit(f"{localhub.binary()} does not exist: build it first", returncode=2)
    folder = Path(tempfile.mkdtemp(prefix="hubfs-judge-"))
    config.stash[_session_folder] = folder
    hub = config.stash[_session_hub] = localhub.LocalHub(folder / "root")
    endpoint = hub.start().endpoint
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
        del os.environ[name]
    os.environ.update(
        HF_ENDPOINT=endpoint,
        HF_HOME=str(folder / "hf-home"),
        HF_HUB_DISABLE_XET="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_HUB_DISABLE_TELEMETRY="1",
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    if hub := config.stash.get(_session_hub, None):
        hub.stop()
    if folder := config.stash.get(_session_folder, None):
        shutil.rmtree(folder)


def pytest_report_header(config: pytest.Config) -> str:
    import huggingface_hub

    return f"judging {localhub.binary()} with huggingface_hub {huggingface_hub.__version__}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed test shows what the server wrote meanwhile."""
    report = yield
    if report.failed and (hub := item.config.stash.get(_session_hub, None)):
        report.sections.append(("localhub's log, end", hub.log()[-4000:]))
    return report


@pytest.fixture(scope="session")
def hub(pytestconfig: pytest.Config) -> localhub.LocalHub:
    """The running server."""
    return pytestconfig.stash[_session_hub]


@pytest.fixture(scope="session")
def endpoint(hub: localhub.LocalHub) -> str:
    return hub.address.endpoint


@pytest.fixture(scope="session")
def write_token(hub: localhub.LocalHub) -> str:
    return hub.create_token(NAMESPACE, "write")


@pytest.fixture(scope="session")
def read_token(hub: localhub.LocalHub) -> str:
    return hub.create_token("visitor", "read")


@pytest.fixture(scope="session")
def outsider_token(hub: localhub.LocalHub) -> str:
    """A write token that has no rights in the namespace of the tests."""
    return hub.create_token("outsider", "write", namespaces="elsewhere")


@pytest.fixture(scope="session")
def api(write_token: str):
    """The official client with a write token."""
    from huggingface_hub import HfApi

    return HfApi(token=write_token)


@pytest.fixture(scope="session")
def reader(read_token: str):
    """The official client with a read token."""
    from huggingface_hub import HfApi

    return HfApi(token=read_token)


@pytest.fixture(scope="session")
def outsider(outsider_token: str):
    """The official client with a token of somebody who has no rights here."""
    from huggingface_hub import HfApi

    return HfApi(token=outsider_token)


@pytest.fixture(scope="session")
def anonymous():
    """The official client with no token at all."""
    from huggingface_hub import HfApi

    return HfApi(token=False)


@pytest.fixture(scope="session")
def xet_hub(tmp_path_factory) -> Iterator[localhub.LocalHub]:
    """Another server, which offers Xet."""
    hub = localhub.LocalHub(tmp_path_factory.mktemp("xet") / "root")
    hub.serve_options = ["--xet"]
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def xet_api(xet_hub: localhub.LocalHub, monkeypatch: pytest.MonkeyPatch):
    """The official client with a write token for that server, and with Xet."""
    from huggingface_hub import HfApi, constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    if xet_hub.write_token is None:
        xet_hub.write_token = xet_hub.create_token(NAMESPACE, "write")
    return HfApi(endpoint=xet_hub.address.endpoint, token=xet_hub.write_token)


@pytest.fixture(scope="session")
def git_view(hub: localhub.LocalHub):
    """Finds the bare repository of a repo id on disk."""

    def view(repo_id: str, repo_type: str = "model") -> GitView:
        return GitView(hub.root / f"{repo_type}s" / f"{repo_id}.git")

    return view


_numbers = itertools.count(1)


@pytest.fixture
def new_repo(api, git_view, endpoint, request: pytest.FixtureRequest):
    """Makes repos with names of their own; after the test git must find each of them sound."""
    made: list[Repo] = []

    def make(repo_type: str = "model", *, name: str | None = None, **options) -> Repo:
        repo_id = f"{NAMESPACE}/{name or f'repo-{next(_numbers)}'}"
        api.create_repo(repo_id, repo_type=repo_type, **options)
        repo = Repo(repo_id, repo_type, git_view(repo_id, repo_type), endpoint)
        made.append(repo)
        return repo

    yield make
    for repo in made:
        if repo.git.path.exists():
            repo.git.fsck()


@pytest.fixture
def repo(new_repo) -> Repo:
    """A fresh, public model repo."""
    return new_repo()


@pytest.fixture
def add(api):
    """Adds files to a repo in one commit: add(repo, {"a.txt": b"…"}). Returns the CommitInfo."""
    from huggingface_hub import CommitOperationAdd

    def commit(repo: Repo, files: dict[str, bytes], message: str = "Add files", **options):
        operations = [CommitOperationAdd(path, data) for path, data in files.items()]
        return api.create_commit(
            repo.id, operations, commit_message=message, repo_type=repo.type, **options
        )

    return commit
