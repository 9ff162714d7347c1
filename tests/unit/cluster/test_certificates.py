"""The cluster's certificates, by the real openssl."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster.up import certificates, configuration


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed. On Debian: apt-get install openssl")
    folder = tmp_path_factory.mktemp("made") / "pki"
    certificates.make(folder)
    return folder


def openssl(folder: Path, *words: str) -> str:
    """What openssl prints."""
    done = subprocess.run(
        ["openssl", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_certificate_is_signed_for_servers_and_clients(pki: Path) -> None:
    files = [f"{one.file}.crt" for one in certificates.CERTIFICATES]

    for purpose in ("sslserver", "sslclient"):
        told = openssl(pki, "verify", "-CAfile", "ca.crt", "-purpose", purpose, *files)

        assert told.count(": OK") == len(files)


def test_a_certificate_says_who_it_is_for(pki: Path) -> None:
    told = openssl(pki, "x509", "-in", "apiserver.crt", "-noout", "-ext", "subjectAltName")

    assert "IP Address:10.96.0.1" in told
    assert "DNS:kubernetes.default.svc" in told


def test_an_administrator_is_in_the_group_of_masters(pki: Path) -> None:
    told = openssl(pki, "x509", "-in", "admin.crt", "-noout", "-subject")

    assert told.strip() == "subject=O = system:masters, CN = admin"


def test_a_kubeconfig_needs_no_other_file(pki: Path) -> None:
    told = json.loads(configuration.kubeconfig(pki, "admin"))

    assert set(told["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
    assert set(told["clusters"][0]["cluster"]) == {"server", "certificate-authority-data"}
