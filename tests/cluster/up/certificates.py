"""The cluster's own certificates, by the openssl command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.up.places import API_SERVICE, DOMAIN, NODE, NODE_ADDRESS

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
DAYS = ("-days", "365")
#: Nothing of the machine's own openssl.cnf.
CONFIGURATION = "[req]\ndistinguished_name = name\n[name]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Who a certificate speaks for, as a server and as a client."""

    file: str
    user: str
    group: str | None = None
    names: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The distinguished name."""
        group = f"/O={self.group}" if self.group else ""
        return f"{group}/CN={self.user}"


LOCAL = ("DNS:localhost", "IP:127.0.0.1")
API_NAMES = (
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    f"DNS:kubernetes.default.svc.{DOMAIN}",
    f"IP:{API_SERVICE}",
    f"IP:{NODE_ADDRESS}",
)
CERTIFICATES = (
    Certificate(file="apiserver", user="kube-apiserver", names=(*LOCAL, *API_NAMES)),
    Certificate(file="etcd", user="etcd", names=LOCAL),
    Certificate(file="etcd-client", user="kube-apiserver"),
    Certificate(file="kubelet-client", user="kube-apiserver", group="system:masters"),
    Certificate(file="admin", user="admin", group="system:masters"),
    Certificate(file="kube-controller-manager", user="system:kube-controller-manager"),
    Certificate(file="kube-scheduler", user="system:kube-scheduler"),
    Certificate(file="kube-proxy", user="system:kube-proxy"),
    Certificate(file="coredns", user="system:coredns"),
    Certificate(
        file="kubelet",
        user=f"system:node:{NODE}",
        group="system:nodes",
        names=(f"DNS:{NODE}", f"IP:{NODE_ADDRESS}"),
    ),
)


def make(folder: Path) -> None:
    """Fills `folder` with an authority, every certificate, and the key of service accounts."""
    folder.mkdir(parents=True, mode=0o700)
    (folder / "openssl.cnf").write_text(CONFIGURATION)
    for order in orders():
        subprocess.run(["openssl", *order], cwd=folder, check=True, capture_output=True)


def orders() -> list[tuple[str, ...]]:
    """The openssl commands, in their order."""
    return [_authority(), *map(_signed, CERTIFICATES), *_accounts()]


def _accounts() -> list[tuple[str, ...]]:
    """The key that signs the tokens of service accounts, and the one that tests them."""
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    return [
        ("genpkey", *curve, "-out", "accounts.key"),
        ("pkey", "-in", "accounts.key", "-pubout", "-out", "accounts.pub"),
    ]


def _authority() -> tuple[str, ...]:
    usage = ("-addext", "keyUsage=critical,keyCertSign,digitalSignature")
    ca = ("-addext", "basicConstraints=critical,CA:TRUE", *usage)
    return (*_request("ca", "/CN=test cluster"), *ca)


def _signed(certificate: Certificate) -> tuple[str, ...]:
    extensions = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"]
    if certificate.names:
        extensions.append(f"subjectAltName={','.join(certificate.names)}")
    words = [word for extension in extensions for word in ("-addext", extension)]
    request = _request(certificate.file, certificate.subject)
    return (*request, "-CA", "ca.crt", "-CAkey", "ca.key", *words)


def _request(file: str, subject: str) -> tuple[str, ...]:
    files = ("-keyout", f"{file}.key", "-out", f"{file}.crt")
    return ("req", "-x509", "-config", "openssl.cnf", *KEY, *DAYS, "-subj", subject, *files)
