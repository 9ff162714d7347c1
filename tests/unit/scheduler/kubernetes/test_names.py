"""Names in a cluster: what the API server takes, and never one name for two workers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.scheduler.launchers.kubernetes import names

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
WORKER_IDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=12)


@pytest.mark.parametrize(
    ("release", "pipeline", "worker_id", "name"),
    [
        ("va", "scene_detection", "a1b2c3d4e5f6", "va-scene-detection-a1b2c3d4e5f6"),
        ("VA", "Scene_Detection", "a1b2c3d4e5f6", "va-scene-detection-a1b2c3d4e5f6"),
        ("va.prod", "face", "a1b2c3d4e5f6", "va-prod-face-a1b2c3d4e5f6"),
        ("", "face", "a1b2c3d4e5f6", "face-a1b2c3d4e5f6"),
        ("", "", "a1b2c3d4e5f6", "a1b2c3d4e5f6"),
        ("---", "___", "a1b2c3d4e5f6", "a1b2c3d4e5f6"),
        ("-va-", "_face_", "a1b2c3d4e5f6", "va-face-a1b2c3d4e5f6"),
        ("a--b", "c__d", "a1b2c3d4e5f6", "a-b-c-d-a1b2c3d4e5f6"),
        ("1st", "2nd", "000000000000", "1st-2nd-000000000000"),
        ("x" * 80, "face", "a1b2c3d4e5f6", f"{'x' * 20}-face-a1b2c3d4e5f6"),
        ("x" * 19 + "-yz", "face", "a1b2c3d4e5f6", f"{'x' * 19}-face-a1b2c3d4e5f6"),
        ("va", "y" * 80, "a1b2c3d4e5f6", f"va-{'y' * 29}-a1b2c3d4e5f6"),
        ("x" * 80, "y" * 80, "a1b2c3d4e5f6", f"{'x' * 20}-{'y' * 29}-a1b2c3d4e5f6"),
        ("größe", "übung", "a1b2c3d4e5f6", "gr-e-bung-a1b2c3d4e5f6"),
        ("видео", "лицо", "a1b2c3d4e5f6", "a1b2c3d4e5f6"),
        ("va\n", "fa\0ce", "a1b2c3d4e5f6", "va-fa-ce-a1b2c3d4e5f6"),
        ("../etc", "$(id)", "a1b2c3d4e5f6", "etc-id-a1b2c3d4e5f6"),
        ("va", "face", "w1", "va-face-w1"),
        ("va", "face", "A1B2C3D4E5F6", "va-face-r3blu4njz4hc"),
        ("va", "face", "", "va-face-4oymiquy7qob"),
        ("va", "face", "a1b2c3d4e5f6\n", "va-face-ja5oskz5ehj5"),
        ("va", "face", "x" * 300, "va-face-bvhczkpjzphn"),
    ],
)
def test_the_name_of_a_worker(release: str, pipeline: str, worker_id: str, name: str) -> None:
    assert names.worker_name(release, pipeline, worker_id) == name


@given(st.text(), st.text(), st.text())
def test_a_name_is_always_a_dns_label_and_always_the_same(
    release: str, pipeline: str, worker_id: str
) -> None:
    name = names.worker_name(release, pipeline, worker_id)

    assert DNS_LABEL.fullmatch(name)
    assert names.worker_name(release, pipeline, worker_id) == name


@given(st.text(), st.text(), st.text(), st.text(), WORKER_IDS, WORKER_IDS | st.text())
def test_two_workers_never_share_a_name(
    one: str, other: str, pipeline: str, another: str, worker_id: str, other_id: str
) -> None:
    same = names.worker_name(one, pipeline, worker_id) == names.worker_name(
        other, another, other_id
    )

    assert worker_id == other_id or not same


@given(st.text(), st.text(), st.text(), st.text())
def test_no_release_or_pipeline_makes_two_workers_alike(
    release: str, pipeline: str, worker_id: str, other_id: str
) -> None:
    same = names.worker_name(release, pipeline, worker_id) == names.worker_name(
        release, pipeline, other_id
    )

    assert same == (worker_id == other_id)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("4be0643f-1d98-473b-97cd-ca98a65347dd", "4be0643f-1d98-473b-97cd-ca98a65347dd"),
        ("scene_detection", "scene_detection"),
        ("Va.1", "Va.1"),
        ("-va-", "va"),
        ("a b", "a_b"),
        ("größe", "gr__e"),
        ("ü", ""),
        ("x" * 64, "x" * 63),
        ("x" * 62 + "-y", "x" * 62),
        ("a\n", "a"),
    ],
)
def test_a_label_keeps_what_it_may(text: str, value: str) -> None:
    assert names.label_value(text) == value


@given(st.text())
def test_a_label_is_always_one_that_the_api_server_takes(text: str) -> None:
    value = names.label_value(text)

    assert LABEL.fullmatch(value)
    assert len(value) <= 63


def test_the_workers_of_a_release_are_selected_by_labels_that_every_tool_knows() -> None:
    assert names.workers_selector("va") == (
        "app.kubernetes.io/name=videoannotator,"
        "app.kubernetes.io/instance=va,"
        "app.kubernetes.io/component=worker"
    )
