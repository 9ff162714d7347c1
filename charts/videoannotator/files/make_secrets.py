"""Makes the Secret that the processes of a release share, once; one that is there is never changed.

make_secrets.py HOST PORT NAME INTERNAL_TOKEN_KEY WORKER_KEY_KEY ADMIN_KEY_KEY LABEL=VALUE…

It runs in a pod whose service account may create Secrets and nothing else.
"""

import http.client
import json
import secrets
import ssl
import sys
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SECONDS = 30.0
HINTS = {
    403: "The account of this pod may not create Secrets here; see the Role of this release.",
    404: "The namespace is gone.",
}


def contents(internal_token: str, worker_key: str, admin_key: str) -> dict[str, str]:
    """The secrets, under the names of their keys."""
    return {
        internal_token: secrets.token_hex(32),
        worker_key: secrets.token_hex(32),
        admin_key: f"va_{secrets.token_urlsafe(32)}",
    }


def body(name: str, keys: list[str], labels: list[str]) -> dict[str, object]:
    """The Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": dict(each.split("=", 1) for each in labels)},
        "stringData": contents(*keys),
    }


def create(host: str, port: int, secret: dict[str, object], account: Path) -> tuple[int, str]:
    """What the API server answers: status and message."""
    trust = ssl.create_default_context(cafile=str(account / "ca.crt"))
    namespace = (account / "namespace").read_text(encoding="utf-8").strip()
    token = (account / "token").read_text(encoding="utf-8").strip()
    connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=trust)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    path = f"/api/v1/namespaces/{namespace}/secrets"
    connection.request("POST", path, json.dumps(secret), headers)
    answer = connection.getresponse()
    told = json.loads(answer.read() or b"{}")
    return answer.status, str(told.get("message", ""))


def main(arguments: list[str], account: Path = ACCOUNT) -> int:
    """Exit status 0 when the Secret is there, whoever made it."""
    host, port, name = arguments[:3]
    try:
        status, message = create(
            host, int(port), body(name, arguments[3:6], arguments[6:]), account
        )
    except OSError as error:
        print(f"The API server at {host}:{port} does not answer: {error}", file=sys.stderr)
        return 1
    if status == http.client.CREATED:
        print(f"Secret {name} is made.")
        return 0
    if status == http.client.CONFLICT:
        print(f"Secret {name} is there already, and stays as it is.")
        return 0
    print(
        f"Secret {name} cannot be made: {status} {message} {HINTS.get(status, '')}", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
