"""A client's way to the application that holds every answer against the OpenAPI document."""

import json
import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from videoannotator.api.app import routed

DOCUMENT: dict[str, Any] = routed().openapi()
PATTERNS = {re.compile(re.sub(r"\{\w+\}", "[^/]+", path)): path for path in DOCUMENT["paths"]}


class DocumentedTransport(httpx.ASGITransport):
    """Like over a network; raises AssertionError for an answer that the document does not name."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hands the request on, and looks at what comes back."""
        response = await super().handle_async_request(request)
        path = template(request.url.path)
        method = request.method.lower()
        if path is not None and method in DOCUMENT["paths"][path]:
            await _check(path, method, response)
        return response


def template(path: str) -> str | None:
    """The documented path that a path is one of; None: it is not documented."""
    plain = path.rstrip("/") or "/"
    return next((told for pattern, told in PATTERNS.items() if pattern.fullmatch(plain)), None)


async def _check(path: str, method: str, response: httpx.Response) -> None:
    status = str(response.status_code)
    responses = DOCUMENT["paths"][path][method]["responses"]
    place = f"{method.upper()} {path} {status}"
    assert status in responses or status == "499", f"{place} is not documented"
    content = responses.get(status, {}).get("content", {})
    kind = response.headers.get("content-type", "").partition(";")[0]
    if not content or method == "head":
        return
    assert kind in content or "*/*" in content, f"{place} is {kind}, not one of {list(content)}"
    if "application/json" in content:
        errors = validator(path, method, status).iter_errors(json.loads(await response.aread()))
        told = [f"{'.'.join(map(str, each.path))}: {each.message}" for each in errors]
        assert told == [], f"{place} does not fit its schema: {told}"


@cache
def validator(path: str, method: str, status: str) -> Draft202012Validator:
    """What knows the schema of an answer."""
    response = DOCUMENT["paths"][path][method]["responses"][status]
    schema = response["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})
