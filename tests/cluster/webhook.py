"""An admission webhook that holds back every create of a Kubernetes Job in one namespace."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.cluster.given import GivenCluster
from tests.fakes.certificates import Authority

ADDRESS = "127.0.0.1"  # the API server of make cluster is a process of this machine
LONGEST_SECONDS = 30  #: as long as an API server waits for a webhook


class Webhook:
    """Holds creates back until `let_go`, and admits them all."""

    def __init__(self) -> None:
        """Holds from the beginning."""
        self.asked = threading.Event()  #: somebody waits for an answer, or has waited
        self._answers = threading.Event()

    def let_go(self) -> None:
        """Answers now, and from now on at once."""
        self._answers.set()

    def hold(self) -> None:
        """Waits until the answer may be given."""
        self.asked.set()
        self._answers.wait(LONGEST_SECONDS)


@contextmanager
def slow_webhook(cluster: GivenCluster, namespace: str, folder: Path) -> Iterator[Webhook]:
    """A webhook asked about each new Kubernetes Job of the namespace inside the block."""
    webhook = Webhook()
    certificate = Authority(folder / "authority").sign(folder / "webhook", f"IP:{ADDRESS}")
    server = ThreadingHTTPServer((ADDRESS, 0), _handler(webhook))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    body = _registration(namespace, server.server_address[1], certificate / "ca.crt")
    cluster.kubectl("apply", "-f", "-", given=json.dumps(body))
    try:
        yield webhook
    finally:
        cluster.kubectl("delete", "validatingwebhookconfiguration", namespace)
        webhook.let_go()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(webhook: Webhook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers one review."""

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            review = json.loads(self.rfile.read(length))
            webhook.hold()
            answer = {"uid": review["request"]["uid"], "allowed": True}
            told = {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": answer}
            self._send(json.dumps(told).encode())

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:  # type: ignore[override]
            """Says nothing."""

    return Handler


def _registration(namespace: str, port: int, authority: Path) -> dict[str, Any]:
    rule = {
        "apiGroups": ["batch"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["jobs"],
    }
    webhook = {
        "name": "slow.videoannotator.io",
        "clientConfig": {
            "url": f"https://{ADDRESS}:{port}/",
            "caBundle": base64.b64encode(authority.read_bytes()).decode(),
        },
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "timeoutSeconds": LONGEST_SECONDS,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [webhook],
    }
