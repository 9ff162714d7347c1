"""The arguments and files of the cluster's programs fit together."""

import json
import tomllib
from pathlib import Path

import pytest

from tests.cluster.up import certificates, components, configuration
from tests.cluster.up.places import NAME, NODE_ADDRESS, Places

PLACES = Places(state=Path("/s"), run=Path("/r"))
PROGRAM = Path("/bin/program")


def made() -> set[Path]:
    """Every file that the start writes before the first program starts."""
    written = [word for order in certificates.orders() for word in order]
    keys = {PLACES.pki / name for name in written if name.endswith((".crt", ".key", ".pub"))}
    users = {PLACES.kubeconfig(user) for user in configuration.USERS}
    return keys | users | set(configuration.files(PLACES))


def named(component: str) -> set[Path]:
    """The files that the arguments of a component name."""
    words = components.order(component, PLACES, PROGRAM)[1:]
    paths = {Path(word.partition("=")[2]) for word in words if "=/s/" in word}
    return {path for path in paths if path.suffix or path.name == "Corefile"}


@pytest.mark.parametrize("component", components.COMPONENTS)
def test_a_component_is_given_only_files_that_are_made(component: str) -> None:
    assert named(component) <= made()


@pytest.mark.parametrize("component", components.COMPONENTS)
def test_a_component_is_the_program_and_its_flags(component: str) -> None:
    program, *flags = components.order(component, PLACES, PROGRAM)

    assert program == str(PROGRAM)
    assert flags
    assert all(flag.startswith("--") and "=" in flag for flag in flags)


def test_every_certificate_of_a_kubeconfig_is_made() -> None:
    signed = {certificate.file for certificate in certificates.CERTIFICATES}

    assert set(configuration.USERS) <= signed


def test_files_that_programs_read_from_files_are_made() -> None:
    texts = configuration.files(PLACES)

    kubelet = json.loads(texts[PLACES.files / "kubelet.json"])
    proxy = json.loads(texts[PLACES.files / "kube-proxy.json"])

    files = made()
    assert Path(kubelet["authentication"]["x509"]["clientCAFile"]) in files
    assert Path(kubelet["tlsCertFile"]) in files
    assert Path(kubelet["tlsPrivateKeyFile"]) in files
    assert Path(kubelet["resolvConf"]) in files
    assert Path(proxy["clientConnection"]["kubeconfig"]) in files


def test_containerd_keeps_to_our_folders_and_cgroups() -> None:
    read = tomllib.loads(configuration.containerd(PLACES))

    cri = read["plugins"]["io.containerd.grpc.v1.cri"]
    runc = cri["containerd"]["runtimes"]["runc"]["options"]
    assert (read["root"], read["state"]) == ("/s/containerd", "/r/containerd")
    assert read["grpc"]["address"] == str(PLACES.containerd_socket)
    assert cri["netns_mounts_under_state_dir"] is True
    assert runc == {"SystemdCgroup": False, "Root": "/r/runc"}
    assert configuration.kubelet(PLACES)["cgroupRoot"] == f"/{NAME}"


def test_nothing_of_the_cluster_listens_for_the_outside() -> None:
    words = [word for name in components.COMPONENTS for word in _order(name)]
    texts = "\n".join(configuration.files(PLACES).values())

    binds = {word.partition("=")[2] for word in words if word.startswith("--bind-address=")}
    assert binds == {"127.0.0.1", NODE_ADDRESS}
    assert "0.0.0.0:" not in texts
    assert configuration.kubelet(PLACES)["address"] == NODE_ADDRESS
    assert f"bind {NODE_ADDRESS}" in configuration.corefile(PLACES)


def _order(component: str) -> list[str]:
    return components.order(component, PLACES, PROGRAM)
