"""A gateway before the Hub that changes what is committed, as no sound Hub does."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What belongs to one connection, or is counted anew.
OWN_HEADERS = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}


class Gateway:
    """Hands requests on. `replacements` are put in place of what a commit has at these paths;
    None leaves the operation out."""

    def __init__(self, endpoint: str):
        self.hub = urlsplit(endpoint).netloc
        self.replacements: dict[str, bytes | None] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Gateway":
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def _altered(self, body: bytes) -> bytes:
        lines = []
        for line in body.splitlines():
            operation = json.loads(line)
            path = operation["value"].get("path")
            if operation["key"] == "file" and path in self.replacements:
                data = self.replacements[path]
                if data is None:
                    continue
                operation["value"]["content"] = base64.b64encode(data).decode()
            lines.append(json.dumps(operation).encode())
        return b"\n".join(lines) + b"\n"

    def _handler(gateway):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def hand_on(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if "/commit/" in self.path and self.command == "POST":
                    body = gateway._altered(body)
                headers = {
                    name: value for name, value in self.headers.items()
                    if name.lower() not in OWN_HEADERS
                }  # fmt: skip
                hub = http.client.HTTPConnection(gateway.hub, timeout=30)
                with contextlib.closing(hub):
                    hub.request(self.command, self.path, body or None, headers)
                    answer = hub.getresponse()
                    data = answer.read()
                    self.send_response(answer.status)
                    for name, value in answer.getheaders():
                        if name.lower() not in OWN_HEADERS:
                            self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(data)

            do_GET = do_HEAD = do_POST = do_PUT = hand_on

            def log_message(self, *_) -> None:
                pass

        return Handler
