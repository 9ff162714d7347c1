"""Certificates for tests, made by the openssl command."""

import shutil
import subprocess
from pathlib import Path

import pytest

KEY = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
DAYS = ("-days", "2")


class Authority:
    """Signs certificates that nobody else trusts."""

    def __init__(self, folder: Path) -> None:
        """Its own certificate lies in `folder`; skips the test without openssl."""
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed. On Debian: apt-get install openssl")
        folder.mkdir(parents=True)
        self._folder = folder
        _openssl(
            folder,
            *("req", "-x509", "-newkey", *KEY, *DAYS, "-subj", "/CN=authority of tests"),
            *("-keyout", "authority.key", "-out", "authority.crt"),
        )

    def sign(self, folder: Path, *names: str) -> Path:
        """Fills `folder` as a mounted Secret is: a new key, and a certificate for these names."""
        folder.mkdir(parents=True, exist_ok=True)
        request, extension = self._folder / "request", self._folder / "extension"
        _openssl(
            folder,
            *("req", "-newkey", *KEY, "-subj", "/CN=tests"),
            *("-keyout", "tls.key", "-out", str(request)),
        )
        extension.write_text(f"subjectAltName={','.join(names)}\n")
        _openssl(
            self._folder,
            *("x509", "-req", "-in", str(request), *DAYS, "-extfile", str(extension)),
            *("-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial"),
            *("-out", str(folder / "tls.crt")),
        )
        shutil.copy(self._folder / "authority.crt", folder / "ca.crt")
        return folder


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
