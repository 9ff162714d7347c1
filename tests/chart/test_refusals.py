"""Values that cannot work are refused before anything is installed, with a word on what to do."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, LEAST, VALUES, Refused, rendered, small, text

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
S3 = (
    "storage.kind=s3",
    "storage.s3.url=s3://bucket",
    "storage.s3.existingSecret=keys",
)


def refusal(*sets: str) -> str:
    with pytest.raises(Refused) as refused:
        rendered((), sets)
    return str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("api.replica=2", "'replica' not allowed"),
        ("networkpolicy.enabled=false", "'networkpolicy' not allowed"),
        ("api.replicas=two", "got string, want integer"),
        ("scheduler.maxWorkers=0", "minimum: got 0, want 1"),
        ("storage.kind=nfs", "'volume', 's3'"),
        ("image.pullPolicy=Sometimes", "'Always', 'IfNotPresent', 'Never'"),
        ("security.runAsUser=0", "minimum: got 0, want 1"),
        ("pipelines.Scene.image.repository=x", "'Scene' not allowed"),
        ("pipelines.scene_detection.gpu=1", "'gpu' not allowed"),
        ("pipelines.speech.enabled=true", "missing property 'image'"),
        ("settings.LOG_LEVEL=debug", "'LOG_LEVEL' not allowed"),
        ("image.control.digest=sha256:1", "does not match pattern"),
        ("api.rootPath=annotator", "does not match pattern"),
        ('api.trustedProxies=["everybody"]', "does not match pattern"),
        ('api.tolerations=[{"kee": "x"}]', "'kee' not allowed"),
        ("api.resources.limit.memory=1Gi", "'limit' not allowed"),
        ("api.resources.limits.memory=much", "does not match pattern"),
        ("storage.s3.url=http://bucket", "does not match pattern"),
        ("api.service.port=70000", "maximum: got 70,000, want 65,535"),
    ],
)
def test_the_schema_names_the_value_at_fault(wrong: str, told: str) -> None:
    said = refusal(*LEAST, wrong)

    assert told in said
    assert wrong.partition(".")[0] in said


@pytest.mark.parametrize(
    ("sets", "told", "hint"),
    [
        ((), "no database is named", "database.existingSecret"),
        ((*LEAST, "database.url=postgresql://h/d"), "are both given", "remove database.url"),
        (("database.url=sqlite:////data/x.db",), "names SQLite", "use PostgreSQL"),
        (("database.url=mysql://h/d",), "no address of a PostgreSQL", "postgresql://USER"),
        ((*LEAST, "storage.kind=s3"), "no bucket is named", "give storage.s3.url"),
        ((*LEAST, *S3[:2]), "no Secret with its keys", "storage.s3.existingSecret"),
        ((*LEAST, *S3, "storage.volume.existingClaim=x"), "names a volume", "choose one"),
        ((*LEAST, S3[1]), "names a bucket", "set storage.kind to s3"),
        ((*LEAST, *S3, "storage.s3.resignSeconds=3600"), "not less than", "half of"),
        ((*LEAST, "kueue.enabled=true"), "no queue is named", "LocalQueue"),
        ((*LEAST, "kueue.queue=gpus"), "kueue.enabled is false", "set kueue.enabled"),
        (
            (
                *LEAST,
                "kueue.enabled=true",
                "kueue.queue=one",
                'pipelines.scene_detection.labels={"kueue.x-k8s.io/queue-name": "two"}',
            ),
            "cannot wait in two queues",
            "name the one queue as kueue.queue",
        ),
        (
            (*LEAST, "pipelines.scene_detection.enabled=false"),
            "tests.pipeline is scene_detection, which is not enabled",
            "name one of: voice_activity",
        ),
        (
            (
                *LEAST,
                "pipelines.scene_detection.enabled=false",
                "pipelines.voice_activity.enabled=false",
            ),
            "no pipeline is enabled",
            "pipelines.NAME.enabled",
        ),
        ((*LEAST, "api.ingress.enabled=true"), "no host is named", "give api.ingress.host"),
        ((*LEAST, "api.ingress.grpc.enabled=true"), "a host name of its own", "another name"),
        (
            (
                *LEAST,
                "api.autoscaling.enabled=true",
                "api.autoscaling.minReplicas=9",
            ),
            "more than maxReplicas",
            "swap them",
        ),
        (
            (*LEAST, "api.autoscaling.enabled=true", 'api.resources={"requests": {"cpu": null}}'),
            "requests none",
            "api.resources.requests.cpu",
        ),
        ((*LEAST, "rpc.serverName=va.internal"), "no certificate", "rpc.certificateSecret"),
        ((*LEAST, "rpc.certificateSecret=tls"), "no name", "rpc.serverName"),
        (
            (*LEAST, "settings.VIDEOANNOTATOR_RPC__WORKER_KEY=abc"),
            "where everybody reads it",
            "auth.existingSecret",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_with_a_hint(
    sets: tuple[str, ...], told: str, hint: str
) -> None:
    said = refusal(*sets)

    assert told in said
    assert "Hint: " in said
    assert hint in said.partition("Hint: ")[2]


@pytest.mark.parametrize(
    "wish",
    ["monitoring.scrape=pods", "monitoring.scrape=services", "monitoring.rules.enabled=true"],
)
def test_what_the_cluster_cannot_do_is_refused_with_a_hint(wish: str) -> None:
    with pytest.raises(Refused, match=r"which this cluster does not have(?s:.)*Hint: install"):
        text((), (*LEAST, wish), ())


def nodes(schema: dict[str, Any], place: str = "values") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of the schema that describes a value, with its place."""
    yield place, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{place}.{name}")
    for name, part in schema.get("patternProperties", {}).items():
        yield from nodes(part, f"{place}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from nodes(schema["items"], f"{place}[]")


ALL = [
    *nodes(SCHEMA),
    *(each for one in SCHEMA["definitions"].items() for each in nodes(one[1], one[0])),
]


def test_every_value_is_described() -> None:
    silent = [place for place, part in ALL if "." in place and not part.get("description")]

    assert silent == []


def test_nothing_is_taken_that_is_not_known() -> None:
    open_ones = [
        place
        for place, part in ALL
        if part.get("type") == "object"
        and part.get("additionalProperties", True) is True
        and "as Kubernetes has it" not in part.get("description", "")
    ]

    assert open_ones == []


def test_every_value_has_a_default_and_every_default_is_in_the_schema() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    assert leaves(values) == set(described(SCHEMA))


def leaves(values: dict[str, Any], place: str = "") -> set[str]:
    """The places of all values outside the map of pipelines."""
    found = set()
    for name, value in values.items():
        if name in ("pipelines", "labels", "annotations"):
            continue
        if isinstance(value, dict) and value and place + name not in FREE:
            found |= leaves(value, f"{place}{name}.")
        else:
            found.add(place + name)
    return found


#: Maps whose keys are the operator's.
FREE = {"settings"} | {
    f"{owner}.{part}"
    for owner in ("api", "scheduler", "database.migration")
    for part in ("resources", "nodeSelector", "affinity", "podAnnotations")
}


def described(schema: dict[str, Any], place: str = "") -> Iterator[str]:
    for name, part in schema["properties"].items():
        if name in ("pipelines", "labels", "annotations"):
            continue
        if "properties" in part:
            yield from described(part, f"{place}{name}.")
        else:
            yield place + name


def test_files_of_values_in_the_project_are_taken() -> None:
    for file in VALUES.glob("*.yaml"):
        assert rendered((str(file),), ())


def test_the_least_that_must_be_chosen_is_a_database() -> None:
    assert small()
