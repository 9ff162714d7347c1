"""JSON Schemas of Kubernetes' objects, out of the API description that its source code carries.

kubeconform would fetch such schemas from a public server; these are of the very version that the
test cluster runs, and need no server. Fields that Kubernetes does not know are refused.
"""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.cluster.up.programs import CACHE, KUBERNETES, MODULE

Schema = dict[str, Any]
FOLDER = CACHE / "schemas" / KUBERNETES
REFERENCE = "#/definitions/"
#: Written as text or as a number.
EITHER = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
}


def location() -> str:
    """Where kubeconform finds the schemas, which are written the first time."""
    if not (FOLDER / "ready").exists():
        _write()
    return str(FOLDER / "{{ .ResourceKind }}{{ .KindSuffix }}.json")


def _write() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    definitions = _definitions()
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            file = "-".join(part for part in (kind["kind"], group, kind["version"]) if part)
            path = FOLDER / f"{file.lower()}.json"
            path.write_text(json.dumps(_standalone(name, definitions)), encoding="utf-8")
    (FOLDER / "ready").touch()


def _definitions() -> dict[str, Schema]:
    command = ["go", "mod", "download", "-json", f"k8s.io/kubernetes@{KUBERNETES}"]
    told = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=True).stdout
    path = Path(json.loads(told)["Dir"]) / "api" / "openapi-spec" / "swagger.json"
    found: dict[str, Schema] = json.loads(path.read_text(encoding="utf-8"))["definitions"]
    return {name: _strict(name, each) for name, each in found.items()}


def _strict(name: str, definition: Schema) -> Schema:
    if name in EITHER:
        return {"type": ["string", "number"]}
    known = {**definition.get("properties", {})}
    if not known:
        return definition
    return {**definition, "additionalProperties": False}


def _standalone(name: str, definitions: dict[str, Schema]) -> Schema:
    """One schema with all that it refers to."""
    needed: set[str] = set()
    new = {name}
    while new:
        needed |= new
        new = {each for one in new for each in _references(json.dumps(definitions[one]))} - needed
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": REFERENCE + name,
        "definitions": {each: definitions[each] for each in sorted(needed)},
    }


@cache
def _references(text: str) -> frozenset[str]:
    parts = text.split(f'"$ref": "{REFERENCE}')[1:]
    return frozenset(part.partition('"')[0] for part in parts)
