"""Making, describing, listing and deleting repos."""

import datetime

import pytest
import wire
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError


def test_a_new_repo_is_one_commit_holding_gitattributes(api, repo):
    assert repo.git.files() == {".gitattributes"}
    assert len(repo.git.log()) == 1
    assert repo.git.run("symbolic-ref", "HEAD").decode().strip() == "refs/heads/main"
    assert b"*.safetensors filter=lfs diff=lfs merge=lfs -text" in repo.git.blob(".gitattributes")
    assert api.list_repo_files(repo.id) == [".gitattributes"]


def test_create_answers_with_the_repos_url(api, endpoint, git_view):
    url = api.create_repo("lab/url-model")
    assert (url.repo_id, url.repo_type, url.endpoint) == ("lab/url-model", "model", endpoint)
    url = api.create_repo("lab/url-set", repo_type="dataset")
    assert (url.repo_id, url.repo_type) == ("lab/url-set", "dataset")
    assert git_view("lab/url-set", "dataset").files() == {".gitattributes"}


def test_creating_twice_conflicts_unless_told_otherwise(api, repo):
    head = repo.git.rev()
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo(repo.id)
    assert refused.value.response.status_code == 409
    assert api.create_repo(repo.id, exist_ok=True).repo_id == repo.id
    assert repo.git.rev() == head


def test_the_three_types_are_separate_worlds(api, new_repo, add):
    repos = [
        new_repo("model", name="same-name"),
        new_repo("dataset", name="same-name"),
        new_repo("space", name="same-name", space_sdk="static"),
    ]
    for repo in repos:
        add(repo, {"which.txt": repo.type.encode()})
    for repo in repos:
        assert repo.git.blob("which.txt") == repo.type.encode()
        info = api.repo_info(repo.id, repo_type=repo.type)
        assert (info.id, info.sha) == (repo.id, repo.git.rev())
        assert {sibling.rfilename for sibling in info.siblings} == repo.git.files()
    assert api.repo_info("lab/same-name", repo_type="space").sdk == "static"


def test_info_tells_what_git_tells(api, repo, add):
    add(repo, {"config.json": b"{}\n", "dir/model.safetensors": bytes(range(256)) * 64})
    info = api.model_info(repo.id, files_metadata=True)
    newest = repo.git.log()[0]
    assert info.sha == newest.oid
    assert info.last_modified == datetime.datetime.fromtimestamp(newest.timestamp, datetime.UTC)
    assert info.author == "lab"
    assert (info.private, info.gated, info.disabled) == (False, False, False)

    tree = repo.git.tree()
    siblings = {sibling.rfilename: sibling for sibling in info.siblings}
    assert siblings.keys() == repo.git.files()
    for path, sibling in siblings.items():
        assert sibling.blob_id == tree[path].oid
        pointer = repo.git.pointer(path)
        if pointer is None:
            assert (sibling.size, sibling.lfs) == (tree[path].size, None)
        else:
            assert sibling.size == sibling.lfs.size == pointer.size
            assert sibling.lfs.sha256 == pointer.sha256
            assert sibling.lfs.pointer_size == tree[path].size
    assert siblings["dir/model.safetensors"].lfs is not None


def test_info_of_an_older_revision(api, repo, add):
    old = add(repo, {"a.txt": b"one"}).oid
    add(repo, {"b.txt": b"two"})
    info = api.model_info(repo.id, revision=old)
    assert info.sha == old
    assert {sibling.rfilename for sibling in info.siblings} == repo.git.files(old)


def test_expand_answers_with_what_was_asked(api, repo):
    info = api.model_info(repo.id, expand=["sha", "lastModified"])
    assert info.sha == repo.git.rev()
    assert info.last_modified is not None
    assert info.siblings is None


def test_used_storage_counts_lfs_bytes(api, repo, add):
    add(repo, {"model.safetensors": bytes(range(256)) * 4096})
    assert api.model_info(repo.id, expand=["usedStorage"]).used_storage >= 256 * 4096


def test_existence(api, repo):
    assert api.repo_exists(repo.id)
    assert not api.repo_exists("lab/never-made")
    assert not api.repo_exists(repo.id, repo_type="dataset")
    assert api.revision_exists(repo.id, "main")
    assert not api.revision_exists(repo.id, "never-made")
    assert api.file_exists(repo.id, ".gitattributes")
    assert not api.file_exists(repo.id, "never-made")


def test_settings_change_what_info_says(api, repo):
    api.update_repo_settings(repo.id, private=True)
    assert api.model_info(repo.id).private is True
    api.update_repo_settings(repo.id, private=False, gated="auto")
    info = api.model_info(repo.id)
    assert (info.private, info.gated) == (False, "auto")
    api.update_repo_settings(repo.id, gated=False)
    assert api.model_info(repo.id).gated is False


def test_delete(api, new_repo):
    repo = new_repo()
    api.delete_repo(repo.id)
    assert not repo.git.path.exists()
    with pytest.raises(RepositoryNotFoundError):
        api.repo_info(repo.id)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo.id)
    api.delete_repo(repo.id, missing_ok=True)


def test_a_deleted_name_is_free_again(api, new_repo, add):
    repo = new_repo(name="phoenix")
    add(repo, {"a.txt": b"first life"})
    api.delete_repo(repo.id)
    new_repo(name="phoenix")
    assert repo.git.files() == {".gitattributes"}


def test_lists_by_author_and_search(api, new_repo):
    names = {f"lab/shelf-{number:02}" for number in range(7)}
    for name in names:
        new_repo(name=name.removeprefix("lab/"))
    new_repo("dataset", name="shelf-data")
    assert {model.id for model in api.list_models(search="shelf-")} == names
    assert {model.id for model in api.list_models(author="lab", search="SHELF-")} == names
    assert list(api.list_models(author="nobody")) == []
    assert [found.id for found in api.list_datasets(author="lab", search="shelf-")] == [
        "lab/shelf-data"
    ]
    assert len(list(api.list_models(search="shelf-", limit=5))) == 5


def test_lists_come_in_pages_linked_by_absolute_urls(new_repo, endpoint, write_token):
    names = {new_repo(name=f"paged-{number}").id for number in range(5)}
    seen: list[str] = []
    url = f"{endpoint}/api/models?author=lab&search=paged-&limit=2"
    pages = 0
    while url:
        answer = wire.request("GET", url, token=write_token)
        assert answer.status == 200
        assert len(answer.json()) <= 2
        seen += [item["id"] for item in answer.json()]
        pages += 1
        url = wire.next_link(answer)
        assert url is None or url.startswith(f"{endpoint}/api/models?")
    assert (pages, len(seen), set(seen)) == (3, 5, names)


def test_lists_have_what_is_asked_for_and_nothing_else(api, new_repo, endpoint, write_token):
    repo = new_repo(name="expanded-shelf")
    [found] = api.list_models(author="lab", search="expanded-", expand=["lastModified"])
    assert found.id == repo.id
    assert found.last_modified == api.model_info(repo.id).last_modified
    assert found.downloads is None and found.private is None
    url = f"{endpoint}/api/models?author=lab&search=expanded-&limit=1000&expand=lastModified"
    [row] = wire.request("GET", url, token=write_token).json()
    assert set(row) == {"_id", "id", "lastModified"}


def test_private_repos_are_listed_only_to_those_who_may_read(api, anonymous, new_repo):
    private = new_repo(name="hidden-shelf", private=True)
    assert [model.id for model in api.list_models(search="hidden-shelf")] == [private.id]
    assert list(anonymous.list_models(search="hidden-shelf")) == []


def test_whoami_names_the_organisations(hub, endpoint):
    from huggingface_hub import HfApi

    token = hub.create_token("member", "read", namespaces="first-org,second-org,member")
    api = HfApi(endpoint=endpoint, token=token)
    me = api.whoami()
    assert me["name"] == "member"
    assert [organisation["name"] for organisation in me["orgs"]] == ["first-org", "second-org"]


def test_whoami(api, reader):
    assert api.whoami()["name"] == "lab"
    assert api.whoami()["auth"]["accessToken"]["role"] == "write"
    assert reader.whoami()["auth"]["accessToken"]["role"] == "read"
