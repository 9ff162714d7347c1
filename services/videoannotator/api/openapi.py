"""The OpenAPI document: what the framework sees of the routes, and what surrounds every one.

Errors come from the one table in problems.py. A route names those that are its own with `answers`;
what every route shares is added to all of them here.
"""

from collections.abc import Callable, Iterator

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from videoannotator.api.answers import SCHEMAS, Json, answers, refused
from videoannotator.api.auth import PUBLIC
from videoannotator.api.bodies.errors import ErrorBody
from videoannotator.domain import errors
from videoannotator.domain.errors import VideoAnnotatorError

METHODS = ("get", "head", "post", "delete")
SCHEME = "key"
FIELDS = "`INVALID_REQUEST`: A field is missing, of a wrong type or out of bounds."
DESCRIPTION = """\
Annotates videos: submit one with the pipelines to run, watch the job, fetch the results.

- Send a key as `Authorization: Bearer va_…`. What answers without one is marked.
- Every error has the same shape, `ErrorBody`. Its `error.code` is for programs, its `error.hint`
  says what to do next.
- Every answer carries `X-Request-ID`: the one that was sent, or a new one. The log has it, too.
- A slash at the end of a path changes nothing; nothing is ever redirected.
- An address with GET has HEAD, too. Another method is answered with 405, `METHOD_NOT_ALLOWED`, and
  the header `Allow`; an unknown address with 404, `NOT_FOUND`.
- Times are in UTC, as `2026-01-31T12:00:00.123456Z`. Durations are in seconds, sizes in bytes.
"""
TAGS = [
    {"name": "jobs", "description": "Submit videos, look at jobs, cancel and delete them."},
    {"name": "results", "description": "What was found, as JSON, as files and as a ZIP."},
    {"name": "events", "description": "What happens to jobs while it happens, and their logs."},
    {"name": "pipelines", "description": "What there is, and whether a configuration fits."},
    {"name": "site", "description": "The queue, what is in use, keys."},
    {"name": "health", "description": "Whether it works, for people, probes and Prometheus."},
]
SECURITY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "va_ and 43 characters",
    "description": "A key of this site. `videoannotator token create` makes one.",
}
HEADERS: dict[str, Json] = {
    "X-Request-ID": {
        "description": "Id of the request: the one that was sent, or a new one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        "example": "0f8fad5bd9cb469fa16570867728950e",
    },
    "Retry-After": {
        "description": "Seconds after which it may work.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 5,
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "schema": {"type": "string"},
        "example": "Bearer",
    },
}
AFTER = ("Retry-After",)
#: Headers of every response, and of those with a status.
SENT = {None: ("X-Request-ID",), "401": ("WWW-Authenticate",), "429": AFTER, "503": AFTER}
#: Which answer has what another request needs: source, status, target, and where each parameter is.
OF_JOB = {"job_id": "$response.body#/id"}
OF_FIRST = {"job_id": "$response.body#/jobs/0/id"}
SAME_JOB = {"job_id": "$request.path.job_id"}
LINKS = (
    ("submit_job", "201", "get_job", OF_JOB),
    ("submit_job", "201", "cancel_job", OF_JOB),
    ("submit_job", "201", "delete_job", OF_JOB),
    ("submit_job", "201", "get_results", OF_JOB),
    ("submit_job", "201", "list_files", OF_JOB),
    ("submit_job", "201", "download_archive", OF_JOB),
    ("submit_job", "201", "watch_job", OF_JOB),
    ("submit_job", "201", "list_log_lines", OF_JOB),
    ("list_jobs", "200", "get_job", OF_FIRST),
    ("list_jobs", "200", "get_results", OF_FIRST),
    ("list_jobs", "200", "list_files", OF_FIRST),
    ("list_jobs", "200", "list_log_lines", OF_FIRST),
    ("list_jobs", "200", "download_archive", OF_FIRST),
    (
        "get_job",
        "200",
        "download_result",
        {**SAME_JOB, "pipeline": "$response.body#/runs/0/pipeline"},
    ),
    ("list_files", "200", "download_file", {**SAME_JOB, "artifact": "$response.body#/files/0/id"}),
    ("list_pipelines", "200", "get_pipeline", {"name": "$response.body#/pipelines/0/name"}),
    ("list_pipelines", "200", "validate_pipeline", {"name": "$response.body#/pipelines/0/name"}),
    ("create_key", "201", "revoke_key", {"key_id": "$response.body#/id"}),
    ("get_capacity", "200", "abandon_worker", {"worker_id": "$response.body#/slots/0/worker_id"}),
)


def describe(app: FastAPI) -> None:
    """Makes `/openapi.json` the whole reference."""
    app.openapi = documenting(app)  # type: ignore[method-assign]


def documenting(app: FastAPI) -> Callable[[], Json]:
    """What makes the document, once."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = completed(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=DESCRIPTION,
                    tags=TAGS,
                    routes=app.routes,
                    license_info={"name": "MIT", "identifier": "MIT"},
                )
            )
        return app.openapi_schema

    return openapi


def completed(document: Json) -> Json:
    """The document with what surrounds every route."""
    for path, operation in _operations(document):
        _complete(path, operation)
    for path in document["paths"].values():
        if "get" in path:
            path["head"] = _head(path["get"])
    _link(document)
    components = document["components"]
    components["headers"] = HEADERS
    components["securitySchemes"] = {SCHEME: SECURITY}
    components["schemas"] = _schemas(components["schemas"])
    document["paths"] = {
        path: {method: document["paths"][path][method] for method in METHODS if method in item}
        for path, item in document["paths"].items()
    }
    return document


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


def _complete(path: str, operation: Json) -> None:
    needs_key = PUBLIC.fullmatch(path) is None
    optional = path.startswith("/api/") and not needs_key
    if needs_key or optional:
        operation["security"] = [{SCHEME: []}] if needs_key else [{}, {SCHEME: []}]
    operation["summary"] = operation["description"].splitlines()[0].rstrip(".")
    operation["responses"].pop("422", None)  # the framework's own shape, which we never send
    _merge(operation["responses"], answers(*_shared(operation, needs_key)))
    if _is_checked(operation):
        _merge(operation["responses"], {422: refused([FIELDS])})
    for status, response in operation["responses"].items():
        names = (*SENT[None], *(SENT.get(status, ()) if _is_error(response) else ()))
        headers = response.setdefault("headers", {})
        headers |= {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _is_error(response: Json) -> bool:
    """Whether it has the one shape; a health that is bad has its own."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return bool(schema.get("$ref") == SCHEMAS + ErrorBody.__name__)


def _shared(operation: Json, needs_key: bool) -> Iterator[type[VideoAnnotatorError]]:
    """Errors that a route need not name."""
    yield VideoAnnotatorError
    if needs_key:
        yield from (errors.Unauthenticated, errors.DatabaseUnavailable)
    if "requestBody" in operation:
        yield from (errors.InvalidRequest, errors.TooLarge)


def _is_checked(operation: Json) -> bool:
    """Whether the framework may find a field wrong. A text in a path or a header never is."""
    queries = any(each["in"] == "query" for each in operation.get("parameters", ()))
    return queries or "requestBody" in operation


def _merge(responses: Json, more: dict[int | str, Json]) -> None:
    """Adds responses; one that is there already tells of both."""
    for status, response in more.items():
        known = responses.setdefault(str(status), response)
        if response["description"] not in known["description"]:
            known["description"] += "\n\n" + response["description"]


def _head(get: Json) -> Json:
    """HEAD of an address: what GET says, without a body."""
    responses = {
        status: {key: value for key, value in response.items() if key not in ("content", "links")}
        for status, response in get["responses"].items()
    }
    return {
        **get,
        "summary": f"{get['summary']}: headers alone",
        "description": "Answers as GET does, without a body.",
        "operationId": f"{get['operationId']}_head",
        "responses": responses,
    }


def _link(document: Json) -> None:
    """Says which answer has what another request needs."""
    known = {operation["operationId"]: operation for _, operation in _operations(document)}
    for source, status, target, parameters in LINKS:
        links = known[source]["responses"][status].setdefault("links", {})
        links[target] = {"operationId": target, "parameters": parameters}


def _schemas(schemas: Json) -> Json:
    own = ErrorBody.model_json_schema(mode="serialization", ref_template=SCHEMAS + "{model}")
    ours = {**own.pop("$defs"), ErrorBody.__name__: own}
    theirs = ("HTTPValidationError", "ValidationError")
    kept = {name: schema for name, schema in schemas.items() if name not in theirs}
    return dict(sorted({**kept, **ours}.items()))
