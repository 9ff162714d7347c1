"""What the cluster's start and end read out of the machine."""

import argparse
import json
import tarfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cluster import conftest, traces
from tests.cluster.up import __main__ as command
from tests.cluster.up import cgroups, links, oci, packages, removing
from tests.cluster.up.places import KUBECONFIG, NODE_LINK, PODS_LINK

V1 = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
V2 = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
MOUNTS = """\
1 0 8:1 / / rw - ext4 /dev/vda rw
2 1 8:1 / /state/kubelet rw - ext4 /dev/vda rw
3 2 0:1 / /state/kubelet/pods/a rw - tmpfs tmpfs rw
4 1 0:2 / /state-of-others rw - tmpfs tmpfs rw
5 3 0:1 / /state/two\\040words rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(("mounts", "last"), [(V1, "pids"), (V2, "cgroup")])
def test_processes_are_written_down_in_one_tree(mounts: str, last: str) -> None:
    assert cgroups.tracking(cgroups.hierarchies(mounts)).name == last


def test_every_tree_of_cgroups_is_found() -> None:
    found = [path.name for path in cgroups.hierarchies(V1)]

    assert found == ["memory", "pids", "unified"]


@pytest.mark.parametrize(
    ("folder", "uid"),
    [
        ("kubepods/besteffort/pod11111111-2222-3333-4444-555555555555", True),
        ("kubepods/pod11111111-2222-3333-4444-555555555555/0123abcd", True),
        ("kubepods/besteffort", False),
        ("system", False),
    ],
)
def test_a_cgroup_tells_its_pod(folder: str, uid: bool) -> None:
    expected = "11111111-2222-3333-4444-555555555555" if uid else None

    assert cgroups.pod_of(Path("/sys/fs/cgroup/pids") / folder) == expected


def test_inner_mounts_go_first_and_those_of_others_stay() -> None:
    points = removing.mount_points(MOUNTS, [Path("/state")])

    assert points == ["/state/two words", "/state/kubelet/pods/a", "/state/kubelet"]


def test_links_of_pods_go_before_their_bridge() -> None:
    told = [
        {"ifname": "lo"},
        {"ifname": NODE_LINK},
        {"ifname": PODS_LINK},
        {"ifname": "veth1", "master": PODS_LINK},
        {"ifname": "veth2", "master": "docker0"},
    ]

    assert links.ours(told) == ["veth1", PODS_LINK, NODE_LINK]
    assert links.ours(told[:1]) == []


def test_packages_that_are_there_are_not_installed_again() -> None:
    wanted = {"coreutils": "ls", "there": "/", "zz": "no-such-program", "aa": "/no/such/file"}

    assert packages.lacking(wanted) == ["aa", "zz"]


@pytest.mark.parametrize(
    ("named", "another"),
    [("", None), (str(KUBECONFIG), None), ("/etc/theirs", "/etc/theirs")],
)
def test_a_cluster_that_kubeconfig_names_is_used(
    monkeypatch: pytest.MonkeyPatch, named: str, another: str | None
) -> None:
    monkeypatch.setenv("KUBECONFIG", named)

    assert command.another_cluster() == another


@pytest.mark.parametrize("act", [command.up, command.down])
def test_a_cluster_of_somebody_else_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], act: object
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/etc/theirs")
    monkeypatch.setattr(command.starting, "up", None)
    monkeypatch.setattr(command.removing, "down", None)

    assert callable(act)
    act(argparse.Namespace(gpus=2))

    assert "KUBECONFIG names a cluster (/etc/theirs)" in capsys.readouterr().out


def test_two_changes_at_once_are_refused() -> None:
    with command.alone(), pytest.raises(command.processes.Failed, match="at work"):
        command.alone()
    command.alone().close()


def test_an_archive_holds_what_its_index_says(tmp_path: Path) -> None:
    layer, path = tmp_path / "layer", tmp_path / "image.tar"
    oci.layer_of_files(layer, {"/pause": b"program"})

    oci.archive(path, layer, oci.Image(name="localhost/a:b", entrypoint=["/pause"]))

    with tarfile.open(path) as tar:
        blobs = {one.name: _read(tar, one.name) for one in tar.getmembers()}
    (entry,) = json.loads(blobs["index.json"])["manifests"]
    manifest = json.loads(_blob(blobs, entry))
    config = json.loads(_blob(blobs, manifest["config"]))
    assert entry["annotations"]["io.containerd.image.name"] == "localhost/a:b"
    assert _blob(blobs, manifest["layers"][0]) == layer.read_bytes()
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["config"]["Entrypoint"] == ["/pause"]


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


def _blob(blobs: dict[str, bytes], descriptor: dict[str, str]) -> bytes:
    content = blobs[f"blobs/{descriptor['digest'].replace(':', '/')}"]
    assert f"sha256:{sha256(content).hexdigest()}" == descriptor["digest"]
    assert len(content) == descriptor["size"]
    return content


def test_what_came_and_what_went_is_told_by_kind() -> None:
    kinds = traces.Traces.__slots__
    before = traces.Traces(**{kind: frozenset({"lo"}) for kind in kinds})

    after = replace(before, links=frozenset({"veth1"}))

    assert traces.difference(before, before) == {}
    assert traces.difference(before, after) == {"links": {"came": {"veth1"}, "went": {"lo"}}}


@pytest.mark.parametrize(
    ("named", "left_out"),
    [
        (["tests"], True),
        (["tests/unit/cluster"], True),
        (["tests/cluster"], None),
        (["tests/cluster/test_cluster.py::test_x"], None),
    ],
)
def test_tests_on_a_cluster_run_only_when_they_are_named(
    named: list[str], left_out: bool | None
) -> None:
    args = [str(conftest.HERE.parents[1] / one) for one in named]

    assert conftest.pytest_ignore_collect(SimpleNamespace(args=args)) is left_out  # type: ignore[arg-type]
