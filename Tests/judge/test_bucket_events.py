"""Following buckets: by the official client's follower, and what it does not show by plain HTTP."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import queue
import threading
import time
from urllib.parse import urlsplit

import localhub
import pytest
import wire
from huggingface_hub import HfApi

client = pytest.importorskip("huggingface_hub._bucket_live_follow")

_numbers = itertools.count(1)
KEPT = 5


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A Hub that keeps few changes."""
    hub = localhub.LocalHub(tmp_path_factory.mktemp("events") / "root")
    hub.serve_options = ["--xet", "--bucket-changes", str(KEPT)]
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def token(hub) -> str:
    return hub.create_token("lab", "write")


@pytest.fixture
def bucket(hub, token) -> str:
    bucket_id = f"lab/followed-{next(_numbers)}"
    ask(hub, token, "POST", bucket_id, json_body={})
    return bucket_id


def ask(hub, token, method: str, bucket: str, rest: str = "", **options) -> wire.Answer:
    url = f"{hub.address.endpoint}/api/buckets/{bucket}{rest}"
    answer = wire.request(method, url, token=token, **options)
    assert answer.status == 200, answer.body
    return answer


def change(hub, token, bucket: str, *, put=(), delete=()) -> None:
    """Puts empty files, and deletes others."""
    lines = [
        {"type": "addFile", "path": path, "xetHash": "0" * 64, "mtime": 1_700_000_000_000}
        for path in put
    ]
    lines += [{"type": "deleteFile", "path": path} for path in delete]
    ask(hub, token, "POST", bucket, "/batch", body=wire.ndjson(*lines))


class Stream:
    """Events as they come."""

    def __init__(self, hub, token, bucket: str, query: str = ""):
        self.connection = http.client.HTTPConnection(
            urlsplit(hub.address.endpoint).netloc, timeout=30
        )
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.connection.request("GET", f"/api/buckets/{bucket}/events{query}", headers=headers)
        self.answer = self.connection.getresponse()

    def next(self) -> tuple[str, dict] | None:
        """The next event; None at the end."""
        name = None
        while line := self.answer.readline():
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                name = text.removeprefix("event: ")
            elif text.startswith("data: "):
                return name, json.loads(text.removeprefix("data: "))
        return None

    def paths(self) -> list[tuple[str, str]]:
        name, event = self.next()
        assert name == "changes"
        return [(one["op"], one["path"]) for one in event["changes"]]


@pytest.fixture
def follow(hub, token, bucket):
    with contextlib.ExitStack() as stack:

        def start(query: str = "", token: str | None = token) -> Stream:
            stream = Stream(hub, token, bucket, query)
            stack.callback(stream.connection.close)
            return stream

        yield start


def test_changes_are_told_as_they_happen(hub, token, bucket, follow):
    stream = follow()
    assert stream.answer.status == 200
    assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
    assert stream.next() == ("ready", {})
    change(hub, token, bucket, put=["a", "dir/b"])
    name, event = stream.next()
    [listed, _] = ask(hub, token, "GET", bucket, "/tree").json()
    assert name == "changes"
    assert event["changes"][0] == {
        "path": "a", "op": "add", "size": 0, "xetHash": "0" * 64,
        "uploadedAt": listed["uploadedAt"], "mtime": listed["mtime"],
    }  # fmt: skip
    assert event["changes"][1]["path"] == "dir/b"
    change(hub, token, bucket, put=["a"], delete=["dir/b"])
    _, again = stream.next()
    assert again["changes"][0]["op"] == "update"
    assert again["changes"][1] == {"path": "dir/b", "op": "delete"}
    # Behind any event one can go on.
    resumed = follow(f"?cursor={event['cursor']}")
    assert resumed.next() == ("changes", again)
    assert resumed.next() == ("ready", {"cursor": again["cursor"]})
    assert hub.stats()["endpoints"]["bucket-events"] >= 2


def test_changes_since_a_time(hub, token, bucket, follow):
    change(hub, token, bucket, put=["before"])
    time.sleep(0.01)
    change(hub, token, bucket, put=["last"])
    since = ask(hub, token, "GET", bucket).json()["updatedAt"]
    change(hub, token, bucket, put=["after"])
    stream = follow(f"?since={since}")
    told = stream.paths()
    assert ("add", "after") in told and ("add", "before") not in told
    assert stream.next()[0] == "ready"
    whole = follow("?since=2020-01-01T00:00:00Z").paths()
    assert [path for _, path in whole] == ["before", "last", "after"]


def test_what_is_not_kept_is_a_reset(hub, token, bucket, follow):
    change(hub, token, bucket, put=["first"])
    stream = follow()
    _, ready = stream.next()
    change(hub, token, bucket, put=[str(number) for number in range(KEPT + 1)])
    for query in (f"?cursor={ready['cursor']}", "?since=2020-01-01T00:00:00Z"):
        old = follow(query)
        assert old.next()[0] == "reset"
        assert old.next() is None
    assert len(stream.paths()) == KEPT


def test_what_cannot_be_followed(hub, token, bucket, follow):
    assert follow("?cursor=word").answer.status == 400
    assert follow("?cursor=999999999").answer.status == 400
    assert follow("?since=yesterday").answer.status == 400
    assert follow(token=None).answer.status == 200
    ask(hub, token, "PUT", bucket, "/settings", json_body={"private": True})
    assert follow(token=None).answer.status == 401
    url = f"{hub.address.endpoint}/api/buckets/lab/nothing/events"
    assert wire.request("GET", url, token=token).status == 404


def test_a_bucket_that_is_deleted_ends_it(hub, token, bucket, follow):
    stream = follow()
    assert stream.next()[0] == "ready"
    ask(hub, token, "DELETE", bucket)
    assert stream.next() is None


def test_whoever_may_not_know_any_more_hears_nothing(hub, token, bucket, follow):
    stream = follow(token=None)
    assert stream.next()[0] == "ready"
    ask(hub, token, "PUT", bucket, "/settings", json_body={"private": True})
    change(hub, token, bucket, put=["secret"])
    assert stream.next() is None


def test_the_official_follower_goes_on_after_a_restart(hub, token, bucket):
    change(hub, token, bucket, put=["before"])
    heard: queue.Queue = queue.Queue()
    reconciled = threading.Event()
    follower = client.BucketFollower(
        endpoint=hub.address.endpoint, bucket_id=bucket, token=token,
        on_changes=lambda changes: [heard.put((one.op, one.path)) for one in changes],
        on_reconcile=reconciled.set, is_alive=lambda: True,
    )  # fmt: skip
    follower.start()
    try:
        assert reconciled.wait(20)
        deadline = time.monotonic() + 20
        while not follower.subscribed and time.monotonic() < deadline:
            time.sleep(0.01)
        HfApi(endpoint=hub.address.endpoint, token=token).batch_bucket_files(
            bucket, add=[(b"", "during")], delete=["before"]
        )
        told = {heard.get(timeout=20) for _ in range(2)} | set(drained(heard))
        assert told - {("add", "before")} == {("add", "during"), ("delete", "before")}
        with plain_stream(hub, token, bucket) as stream:
            assert stream.next()[0] == "ready"
            hub.stop()
            assert stream.next()[0] == "reconnect"
            # The end of the body, and not of the connection alone.
            assert stream.answer.read().strip() == b""
        hub.start()
        change(hub, token, bucket, put=["later"])
        assert heard.get(timeout=30) == ("add", "later")
        assert follower.is_alive()
    finally:
        follower.stop()


def drained(heard: queue.Queue) -> list:
    found = []
    with contextlib.suppress(queue.Empty):
        while True:
            found.append(heard.get(timeout=1))
    return found


@contextlib.contextmanager
def plain_stream(hub, token, bucket):
    stream = Stream(hub, token, bucket)
    with contextlib.closing(stream.connection):
        yield stream


def test_a_hub_without_them(tmp_path):
    hub = localhub.LocalHub(tmp_path / "root")
    hub.serve_options = ["--xet", "--no-bucket-events"]
    hub.start()
    try:
        token = hub.create_token("lab", "write")
        ask(hub, token, "POST", "lab/quiet", json_body={})
        url = f"{hub.address.endpoint}/api/buckets/lab/quiet/events"
        assert wire.request("GET", url, token=token).status == 404
        hub.add_fault("--status", "501", "--to", "bucket-events")
        assert wire.request("GET", url, token=token).status == 501
    finally:
        hub.stop()
