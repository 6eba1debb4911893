"""A server on this machine that answers uploads as the hub does."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from huggingface_hub import constants

TOKEN = "hf_a_token_of_the_test"
LARGE = (".parquet", ".safetensors")


class Hub:
    """What the server was sent, and how it is to answer."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.created: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.large: dict[str, bytes] = {}
        self.status = {"create": 200, "commit": 200}
        self.url = ""

    @property
    def kind(self) -> str:
        """What was made: ``dataset``, or ``model``, which is the hub's default."""
        return str(self.created.get("type", "model"))

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        self.requests.append((method, path))
        if path == "/api/repos/create":
            self.created = json.loads(body)
            place = "datasets/" if self.kind == "dataset" else ""
            return self.status["create"], {"url": f"{self.url}/{place}me/maths"}
        if (method, path) == ("GET", f"/api/{self.kind}s/me/maths"):
            return self.status["create"], {"id": "me/maths"}
        if "/preupload/" in path:
            # As on the hub: text is committed, tables and weights are stored as large files.
            files = [
                {
                    "path": f["path"],
                    "uploadMode": "lfs" if f["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for f in json.loads(body)["files"]
            ]
            return 200, {"files": files}
        if path.endswith("/objects/batch"):
            objects = json.loads(body)["objects"]
            for entry in objects:
                href = f"{self.url}/storage/{entry['oid']}"
                entry["actions"] = {"upload": {"href": href}}
            return 200, {"transfer": "basic", "objects": objects}
        if path.startswith("/storage/"):
            self.large[path.rpartition("/")[2]] = body
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    self.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    self.files[value["path"]] = self.large[value["oid"]]
            return self.status["commit"], {
                "commitUrl": f"{self.url}/datasets/me/maths/commit/1",
                "commitOid": "1",
            }
        return 200, {}


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Answer uploads on this machine, and keep what was sent."""
    state = Hub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if not self.path.startswith("/storage/") and "agent" not in self.path:
                assert self.headers["authorization"] in (f"Bearer {TOKEN}", None)
            status, values = state.answer(self.command, self.path, body)
            text = json.dumps(values).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = respond  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", state.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield state
    server.shutdown()
    server.server_close()
    thread.join()
