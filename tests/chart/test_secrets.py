"""The hook that makes the shared Secret: once, and never again; against a server of its own."""

import importlib.util
import json
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.chart.rendering import CHART, containers, pods, site
from tests.fakes.certificates import Authority
from videoannotator.settings import load_settings

NAME = "va-videoannotator-secrets"
KEYS = ["internal-token", "worker-key", "admin-key"]
LABELS = ["app.kubernetes.io/name=videoannotator", "app.kubernetes.io/instance=va"]


def program() -> Any:
    """The program that the chart brings."""
    path = CHART / "files" / "make_secrets.py"
    specification = importlib.util.spec_from_file_location("make_secrets", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Secrets(BaseHTTPRequestHandler):
    """Makes Secrets, each name once, as the API server does."""

    server: "ApiServer"

    def do_POST(self) -> None:
        """Answers 201, 409 or 403."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"]))
        name = body["metadata"]["name"]
        if self.server.forbids:
            self._answer(403, {"message": "secrets is forbidden"})
        elif name in self.server.made:
            self._answer(409, {"message": "already exists"})
        else:
            self.server.made[name] = body
            self._answer(201, body)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *words: object) -> None:
        """Says nothing."""


class ApiServer(HTTPServer):
    """A server with a certificate."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds tls.crt and tls.key."""
        super().__init__(("127.0.0.1", 0), Secrets)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.made: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.forbids = False

    @property
    def arguments(self) -> list[str]:
        """The command line that the chart gives."""
        return ["127.0.0.1", str(self.server_port), NAME, *KEYS, *LABELS]


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """A service account's folder, and the server's certificate beside."""
    folder = Authority(tmp_path / "authority").sign(tmp_path / "account", "IP:127.0.0.1")
    (folder / "namespace").write_text("annotation")
    (folder / "token").write_text("a-token\n")
    return folder


@pytest.fixture
def server(account: Path) -> Iterator[ApiServer]:
    """A server that the account trusts."""
    with ApiServer(account) as found:
        thread = Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_the_secret_is_made_once_and_never_changed(server: ApiServer, account: Path) -> None:
    first = program().main(server.arguments, account)
    made = dict(server.made[NAME])
    again = program().main(server.arguments, account)

    assert (first, again) == (0, 0)
    assert server.made == {NAME: made}
    assert server.asked == [("/api/v1/namespaces/annotation/secrets", "Bearer a-token")] * 2
    assert made["metadata"]["labels"]["app.kubernetes.io/instance"] == "va"


def test_the_program_takes_what_is_made(server: ApiServer, account: Path) -> None:
    program().main(server.arguments, account)

    made = server.made[NAME]["stringData"]

    found = load_settings(
        {
            "VIDEOANNOTATOR_RPC__INTERNAL_TOKEN": made["internal-token"],
            "VIDEOANNOTATOR_RPC__WORKER_KEY": made["worker-key"],
            "VIDEOANNOTATOR_AUTH__FIRST_ADMIN_KEY": made["admin-key"],
        },
        None,
    )
    assert found.rpc.internal_token != found.rpc.worker_key


def test_missing_rights_are_told_with_the_fix(
    server: ApiServer, account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.forbids = True

    assert program().main(server.arguments, account) == 1

    assert "may not create Secrets here; see the Role" in capsys.readouterr().err


def test_a_server_that_is_away_is_told(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program().main(["127.0.0.1", "1", NAME, *KEYS], account) == 1

    assert "does not answer" in capsys.readouterr().err


def test_a_server_that_nobody_vouches_for_is_told_nothing(
    server: ApiServer, account: Path, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other").sign(tmp_path / "others", "IP:127.0.0.1")
    (account / "ca.crt").write_bytes((other / "ca.crt").read_bytes())

    assert program().main(server.arguments, account) == 1

    assert server.asked == []


def test_the_chart_gives_the_program_its_arguments() -> None:
    (pod,) = [pod for name, _, pod in pods(site("test")) if "make-secrets" in name]

    arguments = containers(pod)[0]["args"]

    assert arguments == [
        *("$(KUBERNETES_SERVICE_HOST)", "$(KUBERNETES_SERVICE_PORT)", NAME),
        *(*KEYS, *LABELS),
    ]
