"""Names, labels and annotations of what is created in a cluster: pure."""

import hashlib
import re
from base64 import b32encode

PREFIX = "videoannotator.io/"

# Labels: a person selects by them.
JOB = PREFIX + "job"
RUN = PREFIX + "run"
PIPELINE = PREFIX + "pipeline"
OWNER_HASH = PREFIX + "owner-hash"
# Annotations: facts about one worker, read back when a Kubernetes Job of its name is found.
WORKER = PREFIX + "worker"
ATTEMPT = PREFIX + "attempt"
EPOCH = PREFIX + "epoch"
SPEC_SHA = PREFIX + "spec-sha256"
# Labels that every tool knows.
NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"

APPLICATION = "videoannotator"
WORKER_COMPONENT = "worker"
MANAGER = "videoannotator-scheduler"

#: A pod's host name and the label job-name are copies of the name, and each is a DNS label.
LONGEST_NAME = 63
LONGEST_LABEL = 63
RELEASE_LENGTH = 20
WORKER_ID_LENGTH = 12
PIPELINE_LENGTH = LONGEST_NAME - RELEASE_LENGTH - WORKER_ID_LENGTH - len("--")

PLAIN_WORKER_ID = re.compile(r"[a-z0-9]{1,12}", re.ASCII)
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", re.ASCII)


def worker_name(release: str, pipeline: str, worker_id: str) -> str:
    """The name of a worker's Kubernetes Job: a DNS label of at most 63 characters.

    Release and pipeline are for people and may be cut; the part behind the last dash stands for
    `worker_id` alone, so workers never share a name.
    """
    parts = (
        _dns_part(release, RELEASE_LENGTH),
        _dns_part(pipeline, PIPELINE_LENGTH),
        _id_part(worker_id),
    )
    return "-".join(part for part in parts if part)


def label_value(text: str) -> str:
    """`text` as the value of a label: as it is where that is allowed, which holds for our ids.

    Other characters become `_`, and what is too long is cut.
    """
    if LABEL_VALUE.fullmatch(text):
        return text
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", text)
    return plain.strip("_.-")[:LONGEST_LABEL].strip("_.-")


def workers_selector(release: str) -> str:
    """The label selector of all workers of a release, as the API server takes it."""
    return ",".join(f"{key}={value}" for key, value in workers_labels(release).items())


def workers_labels(release: str) -> dict[str, str]:
    """The labels that tell the workers of a release from everything else in its namespace."""
    return {
        NAME: APPLICATION,
        INSTANCE: label_value(release),
        COMPONENT: WORKER_COMPONENT,
    }


def _dns_part(text: str, length: int) -> str:
    """`text` in a-z0-9 and single dashes, none at the ends; may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].rstrip("-")


def _id_part(worker_id: str) -> str:
    """A worker's id, which is 12 of a-z0-9; any other text as 60 bits of its hash."""
    if PLAIN_WORKER_ID.fullmatch(worker_id):
        return worker_id
    digest = hashlib.sha256(worker_id.encode()).digest()
    return b32encode(digest).decode().lower()[:WORKER_ID_LENGTH]
