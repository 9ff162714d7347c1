"""Asks a cluster by `kubectl`, with the rights of the person who calls."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from videoannotator.domain.errors import Forbidden, InvalidRequest, NotFound, Unavailable

#: kubectl's own limit on one request: a cluster that does not answer is told of in time.
REQUEST_SECONDS = 30
#: What kubectl writes of an answer's reason, and what it is here.
REASONS = (("(NotFound)", NotFound), ("(Forbidden)", Forbidden))

Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Namespace; by default kubectl's.", show_default=False),
]
Context = Annotated[
    str | None,
    typer.Option("--context", help="Context of kubectl's configuration.", show_default=False),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option("--kubeconfig", help="File with kubectl's configuration.", show_default=False),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """kubectl with the options that choose a cluster."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None

    def get(self, *words: str) -> Mapping[str, Any]:
        """What `kubectl get WORDS -o json` tells.

        Raises: NotFound, Forbidden, Unavailable, and InvalidRequest when there is no kubectl.
        """
        command = ["kubectl", "get", *words, "--output=json", *self._options()]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise InvalidRequest(
                "kubectl cannot be started.", hint="Install it, or put its folder into PATH."
            ) from error
        if ended.returncode != 0:
            raise _error_of(ended.stderr)
        found: Mapping[str, Any] = json.loads(ended.stdout)
        return found

    def _options(self) -> Sequence[str]:
        chosen = {
            "namespace": self.namespace,
            "context": self.context,
            "kubeconfig": self.kubeconfig,
            "request-timeout": f"{REQUEST_SECONDS}s",
        }
        return [f"--{name}={value}" for name, value in chosen.items() if value]


def _error_of(said: str) -> NotFound | Forbidden | Unavailable:
    """The error in kubectl's words."""
    words = said.strip().splitlines()[-1:] or ["kubectl failed without a word."]
    kind = next((kind for reason, kind in REASONS if reason in said), Unavailable)
    return kind(words[0], hint="kubectl says so; the same question by hand shows more.")
