"""Who may see and change what: private and gated repos, read tokens, wrong tokens, no token."""

from pathlib import Path

import pytest
import wire
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_url
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
)
from samples import noise

FILES = {"a.txt": b"secret\n", "b.bin": noise(5000)}
WRONG_TOKEN = "hf_" + "x" * 34


@pytest.fixture
def private(new_repo, add):
    repo = new_repo(private=True)
    add(repo, FILES)
    return repo


@pytest.fixture
def gated(api, new_repo, add):
    repo = new_repo()
    add(repo, FILES)
    api.update_repo_settings(repo.id, gated="manual")
    return repo


READS = {
    "info": lambda api, repo, folder: api.repo_info(repo.id),
    "revision": lambda api, repo, folder: api.repo_info(repo.id, revision="main"),
    "tree": lambda api, repo, folder: list(api.list_repo_tree(repo.id)),
    "paths-info": lambda api, repo, folder: api.get_paths_info(repo.id, ["a.txt"]),
    "refs": lambda api, repo, folder: api.list_repo_refs(repo.id),
    "commits": lambda api, repo, folder: api.list_repo_commits(repo.id),
    "git file": lambda api, repo, folder: api.hf_hub_download(repo.id, "a.txt", cache_dir=folder),
    "lfs file": lambda api, repo, folder: api.hf_hub_download(repo.id, "b.bin", cache_dir=folder),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_a_private_repo_does_not_exist_for_strangers(
    api, reader, anonymous, private, tmp_path, read
):
    with pytest.raises(RepositoryNotFoundError) as refused:
        read(anonymous, private, tmp_path / "anonymous")
    assert refused.value.response.status_code == 401
    read(api, private, tmp_path / "owner")
    read(reader, private, tmp_path / "reader")


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_a_private_repo_does_not_exist_for_outsiders(outsider, private, tmp_path, read):
    with pytest.raises(RepositoryNotFoundError) as refused:
        read(outsider, private, tmp_path)
    assert refused.value.response.status_code == 404


def test_a_private_repo_is_told_apart_from_a_missing_one_by_nothing(private, endpoint):
    missing = f"{endpoint}/api/models/lab/never-made"
    for suffix in ("", "/tree/main", "/refs"):
        hidden = wire.request("GET", private.api_url + suffix)
        absent = wire.request("GET", missing + suffix)
        assert (hidden.status, hidden.body) == (absent.status, absent.body)
        assert hidden["X-Error-Code"] == absent["X-Error-Code"]
        assert hidden["WWW-Authenticate"].startswith("Bearer")


def test_a_missing_repo_is_404_for_those_with_a_token(api):
    with pytest.raises(RepositoryNotFoundError) as refused:
        api.repo_info("lab/never-made")
    assert refused.value.response.status_code == 404
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("lab/never-made", "a.txt")
    with pytest.raises(RepositoryNotFoundError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id="lab/never-made")


def test_a_wrong_token_is_refused_even_on_a_public_repo(repo, tmp_path):
    stranger = HfApi(token=WRONG_TOKEN)
    with pytest.raises(HfHubHTTPError) as refused:
        stranger.repo_info(repo.id)
    assert refused.value.response.status_code == 401
    assert not isinstance(refused.value, RepositoryNotFoundError)
    assert refused.value.response.headers["X-Error-Message"] == (
        "Invalid credentials in Authorization header"
    )
    with pytest.raises(HfHubHTTPError) as refused:
        stranger.whoami()
    assert refused.value.response.status_code == 401


def test_a_gated_repo_shows_its_names_but_not_its_bytes(anonymous, gated, tmp_path):
    info = anonymous.repo_info(gated.id)
    assert (info.gated, info.sha) == ("manual", gated.git.rev())
    assert {entry.path for entry in anonymous.list_repo_tree(gated.id)} == gated.git.files()
    for path in FILES:
        with pytest.raises(GatedRepoError) as refused:
            anonymous.hf_hub_download(gated.id, path, cache_dir=tmp_path)
        assert refused.value.response.status_code == 401
    assert wire.request("GET", f"{gated.web_url}/resolve/main/a.txt").status == 401


def test_a_gated_repo_asks_outsiders_to_ask_for_access(outsider, gated, tmp_path):
    assert outsider.repo_info(gated.id).sha == gated.git.rev()
    for path in FILES:
        with pytest.raises(GatedRepoError) as refused:
            outsider.hf_hub_download(gated.id, path, cache_dir=tmp_path)
        assert refused.value.response.status_code == 403


def test_a_grant_opens_a_gated_repo_and_can_be_taken_back(hub, outsider, gated, tmp_path):
    hub.run("repo", "grant", "--root", hub.root, gated.id, "--user", "outsider")
    for path, data in FILES.items():
        local = outsider.hf_hub_download(gated.id, path, cache_dir=tmp_path / "granted")
        assert Path(local).read_bytes() == data
    hub.run("repo", "revoke", "--root", hub.root, gated.id, "--user", "outsider")
    with pytest.raises(GatedRepoError):
        outsider.hf_hub_download(gated.id, "a.txt", cache_dir=tmp_path / "revoked")


def test_a_disabled_repo_is_described_but_not_read(hub, api, repo, add):
    add(repo, FILES)
    hub.run("repo", "set", "--root", hub.root, repo.id, "--disabled")
    assert api.repo_info(repo.id).disabled is True
    with pytest.raises(DisabledRepoError) as refused:
        api.get_hf_file_metadata(url=hf_hub_url(repo.id, "a.txt"))
    assert refused.value.response.status_code == 403


def test_members_of_the_namespace_read_a_gated_repo(api, gated, tmp_path):
    for path, data in FILES.items():
        local = api.hf_hub_download(gated.id, path, cache_dir=tmp_path)
        assert Path(local).read_bytes() == data


@pytest.mark.parametrize("who", ["reader", "outsider"])
def test_neither_a_read_token_nor_an_outsider_writes(request, who, repo, add, git_view):
    client = request.getfixturevalue(who)
    head = add(repo, FILES).oid
    writes = [
        lambda: client.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo.id),
        lambda: client.upload_file(
            path_or_fileobj=noise(5000, seed=4), path_in_repo="x.bin", repo_id=repo.id
        ),
        lambda: client.create_commit(
            repo.id, [CommitOperationAdd("c.txt", b"c")], commit_message="x"
        ),
        lambda: client.delete_file("a.txt", repo.id),
        lambda: client.create_branch(repo.id, branch="x"),
        lambda: client.create_tag(repo.id, tag="x"),
        lambda: client.update_repo_settings(repo.id, private=True),
        lambda: client.delete_repo(repo.id),
        lambda: client.create_repo("lab/by-a-reader"),
    ]
    for write in writes:
        with pytest.raises(HfHubHTTPError) as refused:
            write()
        assert refused.value.response.status_code == 403
    assert repo.git.refs() == {"refs/heads/main": head}
    assert not git_view("lab/by-a-reader").path.exists()


def test_without_a_token_nothing_is_written(anonymous, repo, git_view):
    head = repo.git.rev()
    with pytest.raises(HfHubHTTPError) as refused:
        anonymous.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo.id)
    assert refused.value.response.status_code == 401
    with pytest.raises(HfHubHTTPError) as refused:
        anonymous.create_repo("lab/by-nobody")
    assert refused.value.response.status_code == 401
    assert repo.git.rev() == head
    assert not git_view("lab/by-nobody").path.exists()


WRITES = {
    "preupload": ("POST", "{api}/preupload/main", {"files": []}),
    "lfs batch": (
        "POST",
        "{web}.git/info/lfs/objects/batch",
        {
            "operation": "upload",
            "transfers": ["basic"],
            "objects": [{"oid": "0" * 64, "size": 1}],
            "ref": {"name": "main"},
        },
    ),
    "commit": ("POST", "{api}/commit/main", {"summary": "x", "files": []}),
    "branch": ("POST", "{api}/branch/x", {}),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_each_step_of_a_write_asks_for_the_right(repo, read_token, outsider_token, write):
    method, url, body = write
    url = url.format(api=repo.api_url, web=repo.web_url)
    assert wire.request(method, url, json_body=body).status == 401
    assert wire.request(method, url, json_body=body, token=WRONG_TOKEN).status == 401
    for token in (read_token, outsider_token):
        assert wire.request(method, url, json_body=body, token=token).status == 403


def test_what_is_missing_inside_a_repo_is_told_apart(api, repo):
    with pytest.raises(EntryNotFoundError) as refused:
        api.hf_hub_download(repo.id, "never-made")
    assert refused.value.response.headers["X-Repo-Commit"] == repo.git.rev()
