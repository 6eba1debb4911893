"""A small server that speaks OpenAI's protocol, and fails as told."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Failure = Callable[[BaseHTTPRequestHandler], None]


class StubServer:
    """Answers with a text that depends on the request alone; failures first, where there are any.

    Attributes:
        asked: The bodies of all requests that got an answer, in order.
        headers: Those of all requests.
        failures: What to do to the next requests instead of answering.
    """

    def __init__(self, models: tuple[str, ...] = ("tiny",)) -> None:
        self.models = models
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.failures: deque[Failure] = deque()
        self.most_at_once = 0
        self.seconds = 0.0
        self._now = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def times_asked(self) -> Counter[str]:
        return Counter(json.dumps(body, sort_keys=True) for body in self.asked)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                send(self, 200, {"data": [{"id": name} for name in stub.models]})

            def do_POST(self) -> None:
                with stub._lock:
                    stub._now += 1
                    stub.most_at_once = max(stub.most_at_once, stub._now)
                    stub.headers.append(self.headers)
                    failure = stub.failures.popleft() if stub.failures else None
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    if failure is not None:
                        failure(self)
                        return
                    time.sleep(stub.seconds)
                    with stub._lock:
                        stub.asked.append(body)
                    send(self, 200, {"choices": [choice(body)]})
                finally:
                    with stub._lock:
                        stub._now -= 1

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def answer(body: dict[str, Any]) -> str:
    """The text of a request: another for each prompt and seed."""
    asked = body.get("prompt") or body["messages"]
    digest = hashlib.sha256(json.dumps([asked, body.get("seed")]).encode()).hexdigest()
    return f"The answer is {int(digest[:4], 16)}."


def choice(body: dict[str, Any]) -> dict[str, Any]:
    text = answer(body)
    content = (
        {"message": {"role": "assistant", "content": text}}
        if "messages" in body
        else {"text": text}
    )
    return {"index": 0, "finish_reason": "length" if text[-2] in "05" else "stop", **content}


def send(to: BaseHTTPRequestHandler, status: int, body: Any, **headers: str) -> None:
    content = json.dumps(body).encode()
    to.send_response(status)
    to.send_header("Content-Type", "application/json")
    to.send_header("Content-Length", str(len(content)))
    for name, value in headers.items():
        to.send_header(name.replace("_", "-"), value)
    to.end_headers()
    to.wfile.write(content)


def status(code: int, **headers: str) -> Failure:
    return lambda to: send(to, code, {"error": {"message": f"stub says {code}"}}, **headers)


def cut_connection(to: BaseHTTPRequestHandler) -> None:
    """End in the middle of an answer."""
    to.send_response(200)
    to.send_header("Content-Length", "1000")
    to.end_headers()
    to.wfile.write(b'{"choices": [{"te')
    to.wfile.flush()
    to.connection.close()


def no_answer(to: BaseHTTPRequestHandler) -> None:
    """Close the connection without a word."""
    to.close_connection = True
    to.connection.close()


def no_json(to: BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.send_header("Content-Length", "5")
    to.end_headers()
    to.wfile.write(b"hello")


def no_choices(to: BaseHTTPRequestHandler) -> None:
    send(to, 200, {"choices": []})


def silence(seconds: float) -> Failure:
    return lambda to: time.sleep(seconds)
