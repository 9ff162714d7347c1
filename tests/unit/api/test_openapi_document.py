"""The OpenAPI document says everything about every route."""

import json
import re
from typing import Any

import pytest

from tests.architecture.source import ROOT
from tests.fakes.api_site import ApiSite
from videoannotator.api.app import routed

DOCUMENT: dict[str, Any] = routed().openapi()
OPERATIONS = [
    pytest.param(path, method, id=f"{method.upper()} {path}")
    for path, item in DOCUMENT["paths"].items()
    for method in item
]
ENVELOPE = {"$ref": "#/components/schemas/ErrorBody"}
HEALTH = re.compile(r"/readyz|/health|/api/v1/health|/api/v1/system/health")


def operation(path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method]
    return found


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_is_explained(path: str, method: str) -> None:
    told = operation(path, method)

    assert re.match(r"[A-Z].+\.", told["description"])
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", told["operationId"])
    assert told["tags"]
    assert [each for each in told.get("parameters", ()) if not each.get("description")] == []
    assert all(each["description"] for each in told["responses"].values())


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_error_has_the_one_shape(path: str, method: str) -> None:
    for status, response in operation(path, method)["responses"].items():
        if int(status) >= 400 and method != "head" and not (status == "503" and HEALTH.match(path)):
            assert response["content"]["application/json"]["schema"] == ENVELOPE, status


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_tells_its_request_id(path: str, method: str) -> None:
    responses = operation(path, method)["responses"]

    assert all("X-Request-ID" in each["headers"] for each in responses.values())
    assert "500" in responses


def test_every_field_is_explained() -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, told in schema.get("properties", {}).items()
        if not told.get("description") and "$ref" not in told  # said where it leads to
    ]

    assert silent == []


def test_every_address_that_needs_a_key_says_so_and_may_answer_401() -> None:
    for path, item in DOCUMENT["paths"].items():
        for told in item.values():
            needs = told.get("security") == [{"key": []}]
            assert needs == ("401" in told["responses"]), path


def test_get_and_head_go_together() -> None:
    for path, item in DOCUMENT["paths"].items():
        assert ("get" in item) == ("head" in item), path
        if "head" in item:
            assert set(item["head"]["responses"]) == set(item["get"]["responses"])
            assert all("content" not in each for each in item["head"]["responses"].values())


def test_links_lead_to_operations_and_name_their_parameters() -> None:
    known = {
        told["operationId"]: told for item in DOCUMENT["paths"].values() for told in item.values()
    }
    for told in known.values():
        for response in told["responses"].values():
            for link in response.get("links", {}).values():
                names = {each["name"] for each in known[link["operationId"]]["parameters"]}
                assert set(link["parameters"]) <= names


async def test_the_server_gives_the_document_that_is_committed(site: ApiSite) -> None:
    committed = (ROOT / "docs" / "reference" / "openapi.json").read_text(encoding="utf-8")

    answer = await site.admin.get("/openapi.json")

    assert answer.json() == json.loads(committed)
