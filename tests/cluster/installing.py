"""The chart on a cluster: namespace, volume, database, `helm install`, and the way in."""

import base64
import contextlib
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.given import GivenCluster
from tests.cluster.up.places import NODE_ADDRESS, PLACES, PODS
from tests.cluster.up.processes import Failed, until
from tests.cluster.up.programs import ROOT, program
from tests.fakes.postgres import PostgresServer
from videoannotator.scheduler.launchers.kubernetes import names

CHART = ROOT / "charts" / "videoannotator"
VALUES = ROOT / "k8s" / "values" / "test.yaml"
TRIAL = ROOT / "k8s" / "trial-postgresql.yaml"
DATABASE_SECRET = "videoannotator-database"
CLAIM = "videoannotator-storage"
#: User and group of our images.
NOBODY = 10_001
INSTALL_SECONDS = 420
LAUNCH_SECONDS = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A release in a namespace of its own, where restricted Pod Security is enforced."""

    cluster: GivenCluster
    namespace: str
    release: str = "va"
    sets: dict[str, str] = field(
        default_factory=dict
    )  #: values that differ from k8s/values/test.yaml

    @property
    def name(self) -> str:
        """What the names of its objects begin with."""
        return f"{self.release}-videoannotator"

    def helm(self, *words: str) -> str:
        """What helm prints. Raises: Failed with its message."""
        order = [str(program("helm")), f"--kubeconfig={self.cluster.kubeconfig}"]
        order += [f"--namespace={self.namespace}", *words]
        done = subprocess.run(order, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"helm {' '.join(words)}: {done.stdout.strip()} {done.stderr.strip()}")
        return done.stdout

    def put(self, how: str, seconds: int = INSTALL_SECONDS, *more: str) -> str:
        """Installs or upgrades (`how`), and waits until every pod is ready; helm's notes.

        `more` are values that differ from k8s/values/test.yaml, as `api.replicas=3`.
        """
        sets = [*("=".join(each) for each in self.sets.items()), *more]
        given = [part for one in sets for part in ("--set", one)]
        words = (how, self.release, str(CHART), "--values", str(VALUES), "--wait")
        return self.helm(*words, f"--timeout={seconds}s", *given)

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """What kubectl prints in the namespace. Raises: Failed."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *words, given=given)

    def objects(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """The objects of a kind."""
        chosen = [f"--selector={selector}"] if selector else []
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, *chosen, "-o", "json"))[
            "items"
        ]
        return found

    def names(self, kind: str) -> set[str]:
        """The names of the objects of a kind."""
        return {each["metadata"]["name"] for each in self.objects(kind)}

    def secret(self, name: str) -> dict[str, str]:
        """What a Secret holds, as it is encoded."""
        found: dict[str, str] = json.loads(self.kubectl("get", "secret", name, "-o", "json"))[
            "data"
        ]
        return found

    def admin_key(self) -> str:
        """The first administrator's key, as the notes tell to read it."""
        return base64.b64decode(self.secret(f"{self.name}-secrets")["admin-key"]).decode()

    def until_launched(self, job_id: str, runs: int) -> list[dict[str, Any]]:
        """The Kubernetes Jobs of a job's runs, once so many were seen."""
        seen: dict[str, dict[str, Any]] = {}

        def look() -> bool:
            for each in self.objects("jobs", f"{names.JOB}={job_id}"):
                seen[each["metadata"]["name"]] = each
            return len(seen) == runs

        until(f"{runs} runs have their Kubernetes Jobs", look, LAUNCH_SECONDS)
        return list(seen.values())

    @contextlib.contextmanager
    def forwarded(self, port: int) -> Iterator[int]:
        """A port of this machine that leads to one of the api's Service."""
        order = [str(program("kubectl")), f"--kubeconfig={self.cluster.kubeconfig}"]
        order += [f"--namespace={self.namespace}", "port-forward"]
        order += [f"service/{self.name}-api", f":{port}"]
        with subprocess.Popen(order, stdout=subprocess.PIPE, text=True) as forwarding:
            assert forwarding.stdout is not None
            line = forwarding.stdout.readline()  # Forwarding from 127.0.0.1:40123 -> 18011
            try:
                yield int(line.partition("127.0.0.1:")[2].split()[0])
            finally:
                forwarding.terminate()

    def why(self) -> str:
        """What pods and events say, for whoever reads that a test failed."""
        told = [self.kubectl("get", "pods", "-o", "wide"), self.kubectl("get", "events")]
        for pod in self.names("pods"):
            with contextlib.suppress(Failed):
                told += [pod, self.kubectl("logs", pod, "--all-containers", "--tail=20")]
        return "\n".join(told)


@contextlib.contextmanager
def namespace(cluster: GivenCluster, name: str) -> Iterator[None]:
    """A namespace with the profile "restricted" enforced, which goes with all that is in it."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    cluster.kubectl("create", "-f", "-", given=json.dumps(body))
    try:
        yield
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait", "--timeout=120s")


@contextlib.contextmanager
def volume(cluster: GivenCluster, namespace: str) -> Iterator[dict[str, str]]:
    """A claim on a folder of the node, which belongs to our images' user; values for the chart.

    On another cluster the chart makes its own claim of the default class.
    """
    if not cluster.ours:
        yield {"storage.volume.existingClaim": "", "storage.volume.accessModes[0]": "ReadWriteOnce"}
        return
    folder = (
        PLACES.state / "storage" / f"{namespace}-{secrets.token_hex(4)}"
    )  # goes with the cluster
    folder.mkdir(parents=True)
    os.chown(folder, NOBODY, NOBODY)
    cluster.kubectl("create", "-f", "-", given=json.dumps(_bodies(folder, namespace)))
    try:
        yield {}
    finally:
        cluster.kubectl("delete", "persistentvolume", namespace, "--wait=false")


def _bodies(folder: Path, namespace: str) -> dict[str, Any]:
    """A volume and the claim that it is for."""
    common = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    claim: dict[str, Any] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    claim["metadata"] = {"name": CLAIM, "namespace": namespace}
    claim["spec"] = {
        **common,
        "volumeName": namespace,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    whole: dict[str, Any] = {"apiVersion": "v1", "kind": "PersistentVolume"}
    whole["metadata"] = {"name": namespace}
    whole["spec"] = {
        **common,
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": str(folder)},
        "claimRef": {"name": CLAIM, "namespace": namespace},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [whole, claim]}


@contextlib.contextmanager
def database(cluster: GivenCluster, namespace: str) -> Iterator[dict[str, str]]:
    """An empty PostgreSQL database and a Secret with its address; values for the chart.

    It runs on this machine; in another cluster it is that of k8s/trial-postgresql.yaml.
    """
    if not cluster.ours:
        cluster.kubectl(f"--namespace={namespace}", "apply", "-f", str(TRIAL))
        yield {"database.existingSecret": "trial-postgresql"}
        return
    with PostgresServer(listen_addresses=f"127.0.0.1,{NODE_ADDRESS}") as server:
        rules = server.folder / "data" / "pg_hba.conf"
        for network in (PODS, f"{NODE_ADDRESS}/32"):
            rules.write_text(rules.read_text() + f"host all all {network} trust\n")
        with server.admin() as connection:
            connection.execute("SELECT pg_reload_conf()")
        url = server.create("videoannotator").replace("127.0.0.1", NODE_ADDRESS)
        database_secret(cluster, namespace, url)
        yield {}


def database_secret(cluster: GivenCluster, namespace: str, url: str) -> None:
    """Makes the Secret with the database's address."""
    words = ("create", "secret", "generic", DATABASE_SECRET, f"--from-literal=url={url}")
    cluster.kubectl(f"--namespace={namespace}", *words)


@contextlib.contextmanager
def ready_for(cluster: GivenCluster, name: str) -> Iterator[Installation]:
    """A namespace with volume and database, where nothing is installed yet."""
    with (
        namespace(cluster, name),
        volume(cluster, name) as claim,
        database(cluster, name) as secret,
    ):
        yield Installation(cluster=cluster, namespace=name, sets={**claim, **secret})


def installing(found: Installation) -> Iterator[Installation]:
    """Installs, and removes the release again. Raises: Failed with what pods and events say."""
    try:
        found.put("install")
    except Failed as error:
        raise Failed(f"{error}\n{found.why()}") from error
    yield found
    with contextlib.suppress(Failed):  # a test has removed it
        found.helm("uninstall", found.release, "--wait", "--timeout=120s")


@contextlib.contextmanager
def installed_in(cluster: GivenCluster, name: str) -> Iterator[Installation]:
    """The release of k8s/values/test.yaml in a namespace of its own, ready for work."""
    with ready_for(cluster, name) as found:
        yield from installing(found)
