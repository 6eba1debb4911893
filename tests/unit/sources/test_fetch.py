"""Downloads, against a real local server: ranges, cut connections, wrong bytes, none at all."""

from __future__ import annotations

import hashlib
import io
import json
import re
import socket
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from dualtune.errors import BadInput, DualtuneError
from dualtune.sources import fetch
from dualtune.sources.benchmarks import (
    BENCHMARKS,
    Benchmark,
    load_benchmark,
    registry,
    rows_checksum,
)
from dualtune.sources.benchmarks.readers import read_simuleq
from dualtune.sources.fetch import ATTEMPTS, REMOTES, Remote, fetch_benchmarks

ROWS = [{"question": f"What is {n} + {n}? " + "x" * 5000, "answer": str(2 * n)} for n in range(60)]
BODY = json.dumps(ROWS).encode()


@dataclass
class Served:
    """What the server does, and what it was asked."""

    url: str = ""
    body: bytes = BODY
    cuts: list[int] = field(default_factory=list)  # bytes after which each next answer is cut off
    ranges: bool = True
    errors: list[int] = field(default_factory=list)  # what the next requests are answered with
    asked: list[str] = field(default_factory=list)  # the Range header of each request


@pytest.fixture
def server() -> Iterator[Served]:
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.headers.get("Range", ""))
            if self.path not in ("/simuleq.json", "/archive"):
                self.send_error(404)
                return
            if served.errors:
                self.send_error(served.errors.pop(0))
                return
            start = 0
            given = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if given and served.ranges:
                start = int(given[1])
                if start >= len(served.body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(served.body)}")
                    self.end_headers()
                    return
                self.send_response(206)
                end = len(served.body)
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(served.body) - start))
            self.end_headers()
            cut = served.cuts.pop(0) if served.cuts else len(served.body)
            self.wfile.write(served.body[start : start + cut])

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=http.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield served
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """A benchmark of 60 rows, in the place of SimulEq."""
    rows = read_simuleq(ROWS, Path("simuleq.json"))
    small = replace(BENCHMARKS["simuleq"], rows=len(ROWS), checksum=rows_checksum(rows))
    known = {**BENCHMARKS, "simuleq": small}
    monkeypatch.setattr(registry, "BENCHMARKS", known)
    monkeypatch.setattr(fetch, "BENCHMARKS", known)
    remote = Remote("http://127.0.0.1:9/", hashlib.sha256(BODY).hexdigest())
    monkeypatch.setattr(fetch, "REMOTES", {**REMOTES, "simuleq": remote})
    return small


def get(server: Served, folder: Path, pauses: list[float] | None = None) -> str:
    pause = (lambda _: None) if pauses is None else pauses.append
    (fetched,) = fetch_benchmarks(["simuleq"], folder=folder, mirror=server.url, pause=pause)
    assert fetched.file.read_bytes() == BODY
    assert [file.name for file in folder.iterdir()] == ["simuleq.json"]
    return fetched.outcome


def test_a_file_is_fetched_once(server: Served, tmp_path: Path) -> None:
    assert get(server, tmp_path) == "fetched"
    assert get(server, tmp_path) == "kept"
    assert server.asked == [""]


def test_a_cut_download_goes_on_where_it_was(server: Served, tmp_path: Path) -> None:
    server.cuts = [100_000, 70_000]
    pauses: list[float] = []
    assert get(server, tmp_path, pauses) == "fetched"
    assert server.asked == ["", "bytes=100000-", "bytes=170000-"]
    assert pauses == [1.0, 2.0]


def test_a_kill_leaves_a_part_that_the_next_call_goes_on_with(
    server: Served, tmp_path: Path
) -> None:
    (tmp_path / "simuleq.json.part").write_bytes(BODY[:5000])
    assert get(server, tmp_path) == "fetched"
    assert server.asked == ["bytes=5000-"]


def test_a_part_that_is_whole_is_taken(server: Served, tmp_path: Path) -> None:
    (tmp_path / "simuleq.json.part").write_bytes(BODY)
    assert get(server, tmp_path) == "fetched"


@pytest.mark.parametrize("left", [b"other bytes", BODY + b"more", b"x" * len(BODY)])
def test_a_part_of_another_file_is_replaced(server: Served, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "simuleq.json.part").write_bytes(left)
    assert get(server, tmp_path) == "fetched"


def test_a_server_without_ranges_starts_anew(server: Served, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, [100_000]
    assert get(server, tmp_path) == "fetched"


def test_busy_servers_are_asked_again(server: Served, tmp_path: Path) -> None:
    server.errors = [503, 429, 500]
    pauses: list[float] = []
    assert get(server, tmp_path, pauses) == "fetched"
    assert pauses == [1.0, 2.0, 4.0]


def test_wrong_bytes_are_refused_and_not_kept(server: Served, tmp_path: Path) -> None:
    server.body = BODY.replace(b'"58"', b'"59"')
    with pytest.raises(BadInput, match=r"simuleq\.json: its SHA-256 is .* not kept"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_wrong_rows_are_refused_where_bytes_are_not_known(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetch.REMOTES, "simuleq", Remote("", None))
    server.body = json.dumps(ROWS[:-1]).encode()
    with pytest.raises(BadInput, match="holds 59 rows"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_changed_is_fetched_anew(server: Served, tmp_path: Path) -> None:
    (tmp_path / "simuleq.json").write_bytes(b"[]")
    assert get(server, tmp_path) == "fetched"


def test_a_missing_file_is_not_asked_for_again(server: Served, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"answered 404.*--from.*DUALTUNE_DATA"):
        list(fetch_benchmarks(["sat"], folder=tmp_path, mirror=server.url, pause=lambda _: None))
    assert server.asked == [""]


def test_without_a_network_the_message_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        mirror = f"http://127.0.0.1:{unused.getsockname()[1]}"
        pauses: list[float] = []
        with pytest.raises(DualtuneError, match=r"cannot download .*Without a network"):
            list(fetch_benchmarks(["simuleq"], folder=tmp_path, mirror=mirror, pause=pauses.append))
    assert len(pauses) == ATTEMPTS - 1


def archive(folder: str, *, cut: int | None = None) -> bytes:
    """A repository's archive that holds the rows as files, and others beside them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as out:
        files = {f"{folder}/{n % 2}/{n}.json": row for n, row in enumerate(ROWS)}
        for name, row in {**files, "train/1/1.json": {}, f"{folder}/notes.txt": "no row"}.items():
            content = json.dumps(row, indent=2).encode()
            member = tarfile.TarInfo(f"repository-c0ffee/{name}")
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return packed.getvalue()[:cut]


@pytest.fixture
def two_places(server: Served, small: Benchmark, monkeypatch: pytest.MonkeyPatch) -> Served:
    """SimulEq at a place that has it no more, and in an archive."""
    in_order = [row for n in range(2) for row in ROWS[n::2]]
    rows = read_simuleq(in_order, Path("simuleq.json"))
    known = {**BENCHMARKS, "simuleq": replace(small, checksum=rows_checksum(rows))}
    monkeypatch.setattr(fetch, "BENCHMARKS", known)
    monkeypatch.setitem(fetch.REMOTES, "simuleq", Remote(f"{server.url}/gone", None))
    further = {"simuleq": Remote(f"{server.url}/archive", None, folder="data/set")}
    monkeypatch.setattr(fetch, "FURTHER", further)
    server.body = archive("data/set")
    return server


def test_where_the_first_place_fails_an_archive_is_merged(
    two_places: Served, tmp_path: Path
) -> None:
    (fetched,) = fetch_benchmarks(["simuleq"], folder=tmp_path)
    assert fetched.outcome == "fetched"
    lines = fetched.file.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [r for n in range(2) for r in ROWS[n::2]]
    assert [file.name for file in tmp_path.iterdir()] == ["simuleq.json"]
    assert [f.outcome for f in fetch_benchmarks(["simuleq"], folder=tmp_path)] == ["kept"]


def test_where_the_first_place_cannot_be_reached_the_second_is_tried(
    two_places: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fetch.REMOTES, "simuleq", Remote("http://127.0.0.1:1/none", None))
    (fetched,) = fetch_benchmarks(["simuleq"], folder=tmp_path, pause=lambda _: None)
    assert fetched.outcome == "fetched"


def test_a_file_that_is_not_there_is_not_asked_for_again(tmp_path: Path) -> None:
    paused: list[float] = []
    with pytest.raises(BadInput, match="there is no such file"):
        list(
            fetch_benchmarks(
                ["svamp"],
                folder=tmp_path / "to",
                mirror=tmp_path.as_uri(),
                pause=paused.append,
            )
        )
    assert not paused


def test_an_archive_that_is_none_is_refused_and_not_kept(
    two_places: Served, tmp_path: Path
) -> None:
    two_places.body = archive("data/set", cut=-200)
    with pytest.raises(BadInput, match=r"no archive of JSON files.*not kept"):
        list(fetch_benchmarks(["simuleq"], folder=tmp_path))
    two_places.body = archive("elsewhere")
    with pytest.raises(BadInput, match=r"holds 0 rows.*not kept"):
        list(fetch_benchmarks(["simuleq"], folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gsm8k_platinum", r"cannot be fetched\. Write it from the hub.*madrylab"),
        ("synthetic_test", "nothing to fetch"),
    ],
)
def test_sets_that_are_not_fetched_are_told_how_to_get(
    name: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=said):
        list(fetch_benchmarks([name], folder=tmp_path))


@pytest.mark.parametrize("mirror", ["example.org/bench", "/home/me/bench", ""])
def test_a_mirror_is_an_address(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--from .*write an address"):
        list(fetch_benchmarks(["simuleq"], folder=tmp_path, mirror=mirror))


def test_unknown_names_are_told_before_anything_is_asked(server: Served, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="did you mean 'svamp'"):
        list(fetch_benchmarks(["sat", "svamps"], folder=tmp_path, mirror=server.url))
    assert server.asked == []


def test_a_folder_that_cannot_be_made(server: Served, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DualtuneError, match="Name another folder"):
        list(fetch_benchmarks(["sat"], folder=tmp_path / "file", mirror=server.url))


def test_what_is_fetched_is_found_without_being_told(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DUALTUNE_DATA", raising=False)
    monkeypatch.setenv("DUALTUNE_CACHE", str(tmp_path))
    list(fetch_benchmarks(["simuleq"], mirror=server.url))
    assert len(load_benchmark("simuleq")) == len(ROWS)


def test_the_checksums_are_those_of_the_files(shared_data: Path) -> None:
    for name, remote in REMOTES.items():
        file = shared_data / "bench" / (BENCHMARKS[name].file or "")
        if file.is_file() and remote.sha256 is not None:
            assert hashlib.sha256(file.read_bytes()).hexdigest() == remote.sha256, name


def test_math_may_come_in_another_order_and_form(shared_data: Path, tmp_path: Path) -> None:
    lines = (shared_data / "bench" / "math.jsonl").read_text(encoding="utf-8").splitlines()
    kept = ("problem", "level", "type", "solution")
    rows = [{key: json.loads(line)[key] for key in kept} for line in reversed(lines)]
    (tmp_path / "math.jsonl").write_text(json.dumps(rows), encoding="utf-8")
    assert load_benchmark("math", data_dir=tmp_path) == load_benchmark("math", data_dir=shared_data)
