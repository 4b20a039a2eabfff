"""A real HTTP server on this machine that answers from a script, well or badly: for tests of HTTP clients."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


class Server:
    """The server, what it was asked, and how to script it.

    Attributes:
        url: its address with /v1.
        requests: bodies received, in order; headers: of each.
        starts: when each arrived, in seconds of the monotonic clock.
    """

    def __init__(self, script: list[Reply] | Reply) -> None:
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.starts: list[float] = []
        self.under_way = self.most_at_once = 0
        self.ending = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reply = outer._arrived(self, body)
                try:
                    reply(self, body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    with outer._lock:
                        outer.under_way -= 1

            def log_message(self, *arguments: Any) -> None:
                """Nothing on the terminal."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def _arrived(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> Reply:
        with self._lock:
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
            turn = len(self.requests)
            self.requests.append(body)
            self.headers.append(dict(handler.headers))
            self.paths.append(handler.path)
            self.starts.append(time.monotonic())
        return self.script if callable(self.script) else self.script[min(turn, len(self.script) - 1)]

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.ending.set()
            self._http.shutdown()
            self._http.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """A whole answer."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def chat(*texts: str, logprobs: list[float] | None = None, usage: Any = ..., finish: str = "stop") -> dict[str, Any]:
    """A chat completion with one choice per text."""
    told = None if logprobs is None else {"content": [{"token": "x", "logprob": p} for p in logprobs]}
    choices = [
        {"index": i, "message": {"role": "assistant", "content": t}, "finish_reason": finish, "logprobs": told}
        for i, t in enumerate(texts)
    ]
    counted = {"prompt_tokens": 11, "completion_tokens": 7 * len(texts)} if usage is ... else usage
    return {"id": "x", "object": "chat.completion", "choices": choices, "usage": counted}


def says(*texts: str, **options: Any) -> Reply:
    """A good answer."""
    return lambda handler, _: send(handler, 200, json.dumps(chat(*texts, **options)).encode())


def fails(status: int, text: str = "no", **headers: str) -> Reply:
    """An answer with an error status."""
    body = json.dumps({"error": {"message": text}}).encode()
    return lambda handler, _: send(handler, status, body, **headers)


def garbage(body: bytes, status: int = 200) -> Reply:
    """An answer that is not what it should be."""
    return lambda handler, _: send(handler, status, body)


def drops(sent: bytes = b'{"choices": [{"mess') -> Reply:
    """An answer whose connection ends in the middle: fewer bytes than announced."""

    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(sent) + 1000))
        handler.end_headers()
        handler.wfile.write(sent)
        handler.wfile.flush()
        handler.close_connection = True

    return reply


def hangs_up(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    """No answer at all: the connection is closed."""
    handler.close_connection = True


def too_short(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
    """More bytes than announced: what was announced is no JSON."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10")
    handler.end_headers()
    handler.wfile.write(json.dumps(chat("SELECT 1")).encode())
    handler.close_connection = True


def drips(server: Server) -> Reply:
    """A byte now and then, for ever."""

    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not server.ending.wait(0.02):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    return reply


def silent(server: Server) -> Reply:
    """Nothing, until the server ends."""

    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        server.ending.wait(30)
        handler.close_connection = True

    return reply


def endless(server: Server) -> Reply:
    """Bytes without end, as fast as they are taken."""

    def reply(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while not server.ending.is_set():
            handler.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    return reply
