"""A container image of one layer as an OCI archive, written without a container tool."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CHUNK_BYTES = 1 << 20
#: What images call the machines for which Python has another name.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an image is called and runs."""

    name: str
    entrypoint: Sequence[str] = ()
    environment: Sequence[str] = ()


def layer_of_files(path: Path, files: Mapping[str, bytes]) -> None:
    """Writes a layer of programs as a tar file."""
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))


def layer_of_folder(path: Path, folder: Path) -> None:
    """Writes a whole root file system as a layer, with its owners."""
    with tarfile.open(path, "w") as tar:
        for one in sorted(folder.iterdir()):
            tar.add(one, arcname=one.name, filter=_unnamed)


def _unnamed(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owners by number: names are this machine's."""
    entry.uname = entry.gname = ""
    return entry


def archive(path: Path, layer: Path, image: Image) -> None:
    """Writes an OCI archive of one layer, an uncompressed tar file."""
    digest = _digest(layer)
    config = json.dumps(_config(image, digest)).encode()
    layer_descriptor = _descriptor(LAYER, digest, layer.stat().st_size)
    manifest = json.dumps(_manifest(config, layer_descriptor)).encode()
    index = json.dumps(_index(image, manifest)).encode()
    new = path.with_suffix(".new")
    with tarfile.open(new, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", index)
        _add(tar, _blob(_sha256(manifest)), manifest)
        _add(tar, _blob(_sha256(config)), config)
        tar.add(layer, arcname=_blob(digest), filter=_unnamed)
    new.replace(path)


def _config(image: Image, layer: str) -> Mapping[str, Any]:
    return {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": list(image.entrypoint), "Env": list(image.environment)},
        "rootfs": {"type": "layers", "diff_ids": [layer]},
        "history": [{"created_by": "tests.cluster.up"}],  # buildah builds on nothing without one
    }


def _manifest(config: bytes, layer: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CONFIG, _sha256(config), len(config)),
        "layers": [layer],
    }


def _index(image: Image, manifest: bytes) -> Mapping[str, Any]:
    names = {  # containerd reads the first, buildah the second
        "io.containerd.image.name": image.name,
        "org.opencontainers.image.ref.name": image.name,
    }
    descriptor = _descriptor(MANIFEST, _sha256(manifest), len(manifest))
    return {"schemaVersion": 2, "manifests": [{**descriptor, "annotations": names}]}


def _descriptor(kind: str, digest: str, size_bytes: int) -> Mapping[str, Any]:
    return {"mediaType": kind, "digest": digest, "size": size_bytes}


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _chunks(file: BinaryIO) -> Any:
    return iter(lambda: file.read(CHUNK_BYTES), b"")


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
