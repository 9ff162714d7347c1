"""Programs are built once, whoever asks, and again when what they are built of changes."""

import threading
from pathlib import Path

import pytest

from tests.cluster.up import programs
from tests.cluster.up.programs import SOURCES, Source, build_order, key, program

#: Writes down what it is asked for, and "builds" it.
GO = """#!/bin/sh
echo "$@" >>"$RECORD"
[ "$1" = install ] && { name=${5%%@*}; name=${name##*/}; mkdir -p "$GOBIN"; echo >"$GOBIN/$name"; }
while [ $# -gt 1 ]; do [ "$1" = -o ] && { mkdir -p "${2%/*}"; echo >"$2"; }; shift; done
exit 0
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the Go command was asked for; what it builds lies below the same folder."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO)
    go.chmod(0o755)
    record = tmp_path / "asked"
    record.touch()
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setenv("RECORD", str(record))
    monkeypatch.setattr(programs, "CACHE", tmp_path)
    return record


@pytest.mark.parametrize("name", SOURCES)
def test_a_program_is_built_under_its_name(asked: Path, name: str) -> None:
    path = program(name)

    assert path.name == name
    assert path.is_file()
    assert len(asked.read_text().splitlines()) == 1


def test_a_program_is_built_once_by_many_who_ask_at_once(asked: Path) -> None:
    asking = [threading.Thread(target=program, args=["helm"]) for _ in range(4)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()

    assert asked.read_text().splitlines() == [
        "install -trimpath -ldflags -s -w helm.sh/helm/v3/cmd/helm@v3.19.5"
    ]


def test_a_program_of_an_older_version_goes(asked: Path, tmp_path: Path) -> None:
    older = tmp_path / "programs" / "helm-v3.0.0"
    other = tmp_path / "programs" / "helmet-v1.2.3"
    older.mkdir(parents=True)
    other.mkdir()

    program("helm")

    assert not older.exists()
    assert other.exists()


def test_programs_of_kubernetes_know_their_version() -> None:
    order = build_order(SOURCES["kubelet"], Path("/out/kubelet"))

    assert order[:2] == ["go", "build"]
    assert "-X k8s.io/component-base/version.gitMinor=34" in order[order.index("-ldflags") + 1]


def test_the_key_follows_the_sums_where_no_version_is_named() -> None:
    ours, theirs = Source(package="./x"), Source(package="y", version="v1")

    assert key(ours, b"one") != key(ours, b"two")
    assert key(theirs, b"one") == key(theirs, b"two") == "v1"


def test_without_go_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(FileNotFoundError, match="Go is not installed"):
        program("helm")
