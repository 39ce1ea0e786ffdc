"""Faults on demand: each does what it says, seen with the official client and with git."""

import gzip
from pathlib import Path

import client
import pytest
import wire
from huggingface_hub import CommitOperationAdd, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from samples import MEBIBYTE, noise, sha256, text

LARGE = noise(12 * MEBIBYTE, seed=1)
TABLE = text(50_000, seed=2)


@pytest.fixture
def faulty(hub):
    """The server, to break; mended after the test."""
    hub.clear_faults()
    hub.reset_stats()
    yield hub
    hub.clear_faults()


@pytest.fixture
def sample(repo, add):
    add(repo, {"large.bin": LARGE, "table.csv": TABLE})
    return repo


def download(api, repo, path: str, folder) -> bytes:
    return Path(api.hf_hub_download(repo.id, path, cache_dir=folder)).read_bytes()


REFUSALS = {"429": ("--429", 0), "503": ("--status", 503)}


@pytest.mark.parametrize("status", REFUSALS)
def test_an_upload_survives_refusals(api, repo, faulty, status):
    faulty.add_fault(*REFUSALS[status], "--path", "*/preupload/*", "--count", 1)
    faulty.add_fault(*REFUSALS[status], "--path", "*/objects/batch", "--count", 1)
    data = noise(9000, seed=3)
    api.upload_file(path_or_fileobj=data, path_in_repo="a.bin", repo_id=repo.id)
    assert repo.git.pointer("a.bin").sha256 == sha256(data)
    assert faulty.stats()["statuses"][status] == 2


@pytest.mark.parametrize("status", REFUSALS)
def test_a_listing_meets_a_refusal(api, sample, faulty, status):
    faulty.add_fault(*REFUSALS[status], "--path", "*/tree/*", "--count", 1)
    if not client.RETRIES_FIRST_PAGE:
        with pytest.raises(HfHubHTTPError) as refused:
            list(api.list_repo_tree(sample.id))
        assert refused.value.response.status_code == int(status)
    assert {entry.path for entry in api.list_repo_tree(sample.id)} == sample.git.files()
    assert faulty.stats()["statuses"][status] == 1


def test_a_download_waits_for_the_quota(api, sample, faulty, tmp_path):
    faulty.add_fault("--429", 0, "--class", "cdn", "--count", 1)
    assert download(api, sample, "large.bin", tmp_path) == LARGE
    assert faulty.stats()["statuses"]["429"] == 1


def test_a_download_cut_off_is_resumed(api, sample, faulty, tmp_path):
    faulty.add_fault("--cut", 11 * MEBIBYTE, "--class", "cdn", "--count", 1)
    assert download(api, sample, "large.bin", tmp_path) == LARGE
    assert faulty.requests("cdn") == 2
    assert len(LARGE) <= faulty.bytes_sent("cdn") < len(LARGE) + 2 * MEBIBYTE


def test_a_download_reset_is_given_up_and_the_next_one_works(api, sample, faulty, tmp_path):
    faulty.add_fault("--reset", "--at", 11 * MEBIBYTE, "--class", "cdn", "--count", 1)
    # The client resumes after an early end of the stream, but not after a reset.
    with pytest.raises(client.TransportError):
        download(api, sample, "large.bin", tmp_path)
    assert download(api, sample, "large.bin", tmp_path) == LARGE


def test_an_expired_url_is_refused_and_the_next_one_works(api, sample, faulty, tmp_path):
    faulty.add_fault("--expired", "--class", "cdn", "--count", 1)
    with pytest.raises(HfHubHTTPError) as refused:
        download(api, sample, "large.bin", tmp_path)
    assert refused.value.response.status_code == 403
    assert download(api, sample, "large.bin", tmp_path) == LARGE


def test_a_body_compressed_unasked_is_still_the_file(api, sample, faulty, tmp_path):
    faulty.add_fault("--gzip", "--path", "*/resolve-cache/*/table.csv", "--method", "GET")
    assert download(api, sample, "table.csv", tmp_path) == TABLE
    url = f"{sample.endpoint}/api/resolve-cache/models/{sample.id}/{sample.git.rev()}/table.csv"
    answer = wire.request("GET", url)
    assert answer["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == TABLE


def test_a_compressed_head_has_no_body(api, sample, faulty):
    faulty.add_fault("--gzip", "--path", "*/table.csv")
    url = hf_hub_url(sample.id, "table.csv")
    for _ in range(2):
        assert api.get_hf_file_metadata(url=url).commit_hash == sample.git.rev()


@pytest.mark.parametrize("status", [409, 412, 500])
def test_a_refused_commit_changes_nothing(add, sample, faulty, status):
    head = sample.git.rev()
    faulty.add_fault("--status", status, "--path", "*/commit/main", "--skip", 1, "--count", 1)
    first = add(sample, {"a.txt": b"passes"}).oid
    with pytest.raises(HfHubHTTPError) as refused:
        add(sample, {"b.txt": b"is refused"})
    assert refused.value.response.status_code == status
    assert sample.git.rev() == first
    assert sample.git.log()[0].parents == (head,)
    add(sample, {"b.txt": b"passes now"})


def test_a_lost_answer_leaves_the_commit_in_place(api, sample, faulty):
    head = sample.git.rev()
    faulty.add_fault("--lose-answer", "--path", "*/commit/main", "--count", 1)
    with pytest.raises(client.TransportError):
        api.create_commit(
            sample.id, [CommitOperationAdd("a.txt", b"arrived")], commit_message="Unheard"
        )
    assert sample.git.log()[0].parents == (head,)
    assert sample.git.blob("a.txt") == b"arrived"


def test_a_gateway_that_gave_up_leaves_the_commit_in_place(api, sample, faulty):
    head = sample.git.rev()
    faulty.add_fault("--late-status", 504, "--to", "commit", "--count", 1)
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_commit(
            sample.id, [CommitOperationAdd("a.txt", b"arrived")], commit_message="Unheard"
        )
    assert refused.value.response.status_code == 504
    assert sample.git.log()[0].parents == (head,)
    assert sample.git.blob("a.txt") == b"arrived"


WRITE_ENDPOINTS = ["preupload", "lfs-batch", "lfs-part", "lfs-complete", "lfs-verify", "commit"]


@pytest.mark.parametrize("endpoint", WRITE_ENDPOINTS)
@pytest.mark.parametrize("status", [403, 413, 422, 507])
def test_a_refusal_at_any_step_of_an_upload_changes_nothing(add, sample, faulty, endpoint, status):
    head = sample.git.rev()
    files = {"b.bin": noise(9 * MEBIBYTE, seed=status), "c.txt": b"c"}
    faulty.add_fault(
        "--status", status, "--message", "Storage is full.", "--to", endpoint, "--count", 1
    )
    with pytest.raises((HfHubHTTPError, RuntimeError)) as failed:
        add(sample, files)
    error = failed.value
    if isinstance(error, RuntimeError):
        error = error.__cause__
    assert error.response.status_code == status
    assert "Storage is full." in str(error)
    assert sample.git.rev() == head
    add(sample, files)
    assert sample.git.pointer("b.bin").sha256 == sha256(files["b.bin"])


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_nth_commit_meets_somebody_elses(add, sample, faulty, number):
    faulty.add_fault(
        "--status", 412, "--to", "commit", "--skip", number - 1, "--count", 1
    )
    for current in range(1, number + 2):
        if current == number:
            with pytest.raises(HfHubHTTPError) as refused:
                add(sample, {f"{current}.txt": b"x"})
            assert refused.value.response.status_code == 412
        else:
            add(sample, {f"{current}.txt": b"x"})
    assert f"{number}.txt" not in sample.git.files()
    assert f"{number + 1}.txt" in sample.git.files()


@pytest.mark.parametrize("endpoint", ["lfs-upload", "lfs-part"])
def test_an_upload_broken_off_is_sent_again(add, sample, faulty, endpoint):
    size = MEBIBYTE if endpoint == "lfs-upload" else 9 * MEBIBYTE
    data = noise(size, seed=11)
    faulty.add_fault("--reset-upload", 500_000, "--to", endpoint, "--count", 1)
    before = faulty.stats()["endpoints"].get(endpoint, 0)
    add(sample, {"b.bin": data})
    assert sample.git.pointer("b.bin").sha256 == sha256(data)
    parts = 1 if endpoint == "lfs-upload" else 4
    assert faulty.stats()["endpoints"][endpoint] - before == parts + 1


@pytest.mark.parametrize(
    "endpoint", ["discussions", "discussion-comment", "discussion-status", "discussion-merge"]
)
def test_talk_meets_refusals(api, sample, faulty, endpoint):
    api.create_commit(
        sample.id, [CommitOperationAdd("p.txt", b"p")], commit_message="Propose", create_pr=True
    )
    steps = {
        "discussions": lambda: api.create_discussion(sample.id, "Talk"),
        "discussion-comment": lambda: api.comment_discussion(sample.id, 1, comment="Hi"),
        "discussion-status": lambda: api.change_discussion_status(sample.id, 1, "closed"),
        "discussion-merge": lambda: api.merge_pull_request(sample.id, 1),
    }
    before, refs = api.get_discussion_details(sample.id, 1), sample.git.refs()
    faulty.add_fault("--status", 409, "--to", endpoint, "--count", 1)
    with pytest.raises(HfHubHTTPError) as refused:
        steps[endpoint]()
    assert refused.value.response.status_code == 409
    assert api.get_discussion_details(sample.id, 1) == before
    assert sample.git.refs() == refs
    steps[endpoint]()


def test_a_lost_answer_leaves_the_pull_request_in_place(api, sample, faulty):
    faulty.add_fault("--lose-answer", "--to", "commit", "--count", 1)
    with pytest.raises(client.TransportError):
        api.create_commit(
            sample.id, [CommitOperationAdd("p", b"p")], commit_message="Propose", create_pr=True
        )
    [found] = api.get_repo_discussions(sample.id)
    assert (found.num, found.title, found.is_pull_request) == (1, "Propose", True)
    assert "p" in sample.git.files("refs/pr/1")


def test_an_endpoint_nobody_knows_is_refused(faulty):
    done = faulty.run(
        "fault", "add", "--root", faulty.root, "--expired", "--to", "comit", check=False
    )
    assert done.returncode != 0
    assert "endpoint" in done.stderr
