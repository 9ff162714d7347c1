"""A small real HTTP server that answers as it was told and remembers what it was asked."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server says once; the last of several is said again and again."""

    status: int = 200
    body: Any = None  #: bytes as they are, everything else as JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    missing_bytes: int = 0  #: so many of the promised bytes never come
    before_body: bool = False  #: answers and hangs up without reading the request's body


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the server was asked."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


class FakeServer:
    """Speaks the envelope; knows nothing but its script."""

    def __init__(self) -> None:
        self._script: defaultdict[tuple[str, str], list[Answer]] = defaultdict(list)
        self._lock = threading.Lock()
        self.asked: list[Asked] = []
        self.address = ""

    def says(self, method: str, path: str, *answers: Answer) -> None:
        """Sets what is answered to `method` on `path`, one after the other."""
        self._script[method, path] = list(answers)

    def gives(self, method: str, path: str, body: Any, status: int = 200) -> None:
        """Sets one answer for ever."""
        self.says(method, path, Answer(status=status, body=body))

    def next_answer(self, method: str, path: str) -> Answer:
        """The next line of the script."""
        with self._lock:
            answers = self._script.get((method, path))
            if not answers:
                return Answer(status=404, body=envelope("NOT_FOUND", "There is no such route."))
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def paths(self, method: str = "GET") -> list[str]:
        """The paths that were asked for, in order."""
        return [each.path for each in self.asked if each.method == method]


def envelope(code: str, message: str, **more: Any) -> dict[str, Any]:
    """An error as the real server tells it."""
    return {"error": {"code": code, "message": message, "hint": "", **more}, "detail": message}


@contextmanager
def fake_server() -> Iterator[FakeServer]:
    """A server on a free port of this machine."""
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            url = urlsplit(self.path)
            answer = fake.next_answer(self.command, url.path)
            length = 0 if answer.before_body else int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                method=self.command,
                path=url.path,
                query=parse_qs(url.query),
                headers=dict(self.headers),
                body=self.rfile.read(length),
            )
            fake.asked.append(asked)
            self._write(answer)

        def _write(self, answer: Answer) -> None:
            body = answer.body
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            if body is None:
                raw = b""
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(raw) + answer.missing_bytes))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)
            if answer.missing_bytes or answer.before_body:
                self.close_connection = True

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


def job_body(status: str = "completed", **more: Any) -> dict[str, Any]:
    """A job as the real server tells it."""
    return {
        "id": "j1",
        "status": status,
        "video_filename": "clip.mp4",
        "video_size_bytes": 1000,
        "video_duration_seconds": 20,
        "selected_pipelines": ["scene_detection"],
        "created_at": "2026-01-31T12:00:00Z",
        "progress": 0.0,
        "runs": [run_body("succeeded" if status == "completed" else "failed")],
        **more,
    }


def run_body(status: str, pipeline: str = "scene_detection", **more: Any) -> dict[str, Any]:
    """A run as the real server tells it."""
    error = {"code": "MEDIA_ERROR", "message": "No picture.", "hint": "Convert it.", "log_tail": []}
    return {
        "pipeline": pipeline,
        "status": status,
        "attempt": 1,
        "progress": 1.0 if status == "succeeded" else 0.4,
        "stage": "detect",
        "rate": 12.5,
        "started_at": "2026-01-31T12:00:00Z",
        "finished_at": "2026-01-31T12:00:02Z",
        "error": error if status == "failed" else None,
        "artifacts": [],
        "summary": {"scenes": 12} if status == "succeeded" else {},
        **more,
    }


def file_body(content_sha256: str, pipeline: str = "scene_detection") -> dict[str, Any]:
    """A result file as the real server tells it."""
    return {
        "name": "scenes.json",
        "public_name": f"clip_{pipeline}.json",
        "role": "result",
        "media_type": "application/json",
        "size_bytes": 2,
        "sha256": content_sha256,
        "download_url": f"{API}/jobs/j1/results/files/{pipeline}?file=scenes.json",
    }
