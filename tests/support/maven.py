"""A Maven repository on loopback with a Kafka of three tiny files, to fetch from without the network."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from app.local.jars import Jar

if TYPE_CHECKING:
    from collections.abc import Iterator


class TinyMaven:
    """The repository's files, how often each was asked for, and what is wrong with some of them.

    Of a file named in `cut` only half is sent, as many times as it says there; `missing` ones are a 404.
    """

    def __init__(self) -> None:
        contents = {name: f"{name}\n".encode() * 10_000 for name in ("kafka", "clients", "slf4j")}
        self.pins = [
            Jar("org.example", name, "1.0", hashlib.sha256(content).hexdigest())
            for name, content in contents.items()
        ]
        self.files = {jar.name: contents[jar.artifact] for jar in self.pins}
        self.asked: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()
        self.missing: set[str] = set()
        self.url = ""

    def answer(self, path: str) -> tuple[int, bytes, int]:
        """Status, body, and how many bytes of it are sent."""
        name = path.rsplit("/", 1)[-1]
        self.asked[name] += 1
        if name in self.missing or path.lstrip("/") not in {jar.path for jar in self.pins}:
            return 404, b"", 0
        body = self.files[name]
        if self.cut[name] > 0:
            self.cut[name] -= 1
            return 200, body, len(body) // 2
        return 200, body, len(body)

    @contextmanager
    def serve(self) -> Iterator[TinyMaven]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _handler(maven: TinyMaven) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, sent = maven.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:sent])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """The counters are the log."""

    return Handler
