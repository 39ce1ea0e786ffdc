"""Plain HTTP, one request at a time and nothing followed: for what the client does not show."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """A response, with its body read whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)

    def __getitem__(self, header: str) -> str | None:
        return self.headers.get(header)


def request(
    method: str,
    url: str,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    body: bytes | str | None = None,
    json_body: object | None = None,
) -> Answer:
    """Sends one request over a connection of its own."""
    parts = urlsplit(url)
    all_headers = dict(headers or {})
    if token:
        all_headers["Authorization"] = f"Bearer {token}"
    if json_body is not None:
        body = json.dumps(json_body)
        all_headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=all_headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def ndjson(*lines: dict) -> bytes:
    """The body of a commit: one JSON object a line."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def next_link(answer: Answer) -> str | None:
    """The URL of the next page, from the Link header."""
    for link in (answer["Link"] or "").split(", "):
        target, _, parameters = link.partition(">; ")
        if parameters == 'rel="next"':
            return target.removeprefix("<")
    return None


def commit(
    api_url: str,
    token: str | None,
    *operations: tuple[str, dict],
    revision: str = "main",
    summary: str = "A commit",
    **header: object,
) -> Answer:
    """Commits as the client does, a line each: a header, then operations like `inline_file`."""
    lines = [{"key": "header", "value": {"summary": summary, "description": "", **header}}]
    lines += [{"key": key, "value": value} for key, value in operations]
    return commit_body(api_url, token, ndjson(*lines), revision=revision)


def commit_body(api_url: str, token: str | None, body: bytes, *, revision: str = "main") -> Answer:
    """Sends a commit whose body is given as it is."""
    return request(
        "POST",
        f"{api_url}/commit/{revision}",
        token=token,
        body=body,
        headers={"Content-Type": "application/x-ndjson"},
    )


def inline_file(path: str, data: bytes = b"x") -> tuple[str, dict]:
    """The operation that adds a small file to a commit."""
    content = base64.b64encode(data).decode()
    return "file", {"path": path, "content": content, "encoding": "base64"}


def break_off(method: str, url: str, body: bytes, *, sent: int, headers: dict[str, str]) -> None:
    """Announces the whole body, sends only its first `sent` bytes, and hangs up."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    address = (parts.hostname, parts.port)
    with socket.create_connection(address, timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body[:sent])
