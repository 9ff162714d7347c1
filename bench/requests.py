"""Submitting and reading jobs by 20 clients at once, on each database."""

import sys

import httpx

from bench import Figure
from bench.load import Outcome, Plan, run
from bench.services import Service, databases, place, service, start, stop
from videoannotator.settings import environment

CLIENTS = 20
TRIES = 3
SUBMITS, READS = 1_000, 4_000  # in one try
UPLOAD_BYTES = 100_000  # a second of small video
PIPELINE = "scene_detection"
BARE = [sys.executable, "-m", "bench.bare"]


def submits(api: Service) -> list[Outcome]:
    """New small videos, as forms."""
    plan = Plan(
        port=api.port,
        requests=SUBMITS,
        clients=CLIENTS,
        paths=("/api/v1/jobs",),
        token=api.told["admin_key"],
        upload_bytes=UPLOAD_BYTES,
        pipelines=PIPELINE,
    )
    return [run(plan).require(201) for _ in range(TRIES)]


def reads(api: Service, paths: list[str]) -> list[Outcome]:
    """Those paths in turn."""
    plan = Plan(
        port=api.port,
        requests=READS,
        clients=CLIENTS,
        paths=paths,
        token=api.told.get("admin_key", ""),
    )
    return [run(plan).require(200) for _ in range(TRIES)]


def job_paths(api: Service) -> list[str]:
    """Where the newest hundred jobs are."""
    answer = httpx.get(
        f"{api.address}/api/v1/jobs",
        params={"per_page": 100},
        headers={"Authorization": f"Bearer {api.told['admin_key']}"},
    )
    return [f"/api/v1/jobs/{job['id']}" for job in answer.raise_for_status().json()["jobs"]]


def per_second(outcomes: list[Outcome]) -> tuple[float, ...]:
    """Answers a second, of each try."""
    return tuple(outcome.per_second for outcome in outcomes)


def p95(outcomes: list[Outcome]) -> tuple[float, ...]:
    """Milliseconds within which 95 of 100 answers came, of each try."""
    return tuple(outcome.quantile_milliseconds(0.95) for outcome in outcomes)


def figures_on(kind: str, ceiling: list[Outcome]) -> list[Figure]:
    """One api process on one kind of database."""
    with place(kind) as here, service("api", here) as api:
        submitted, read = submits(api), reads(api, job_paths(api))
    bare = "an empty route of the framework"
    return [
        Figure(
            what=f"POST /jobs, {CLIENTS} clients, {kind}",
            runs=per_second(submitted),
            unit="/s",
            target=250,
            beside=bare,
            others=per_second(ceiling),
        ),
        Figure(
            what=f"POST /jobs, p95, {kind}",
            runs=p95(submitted),
            unit="ms",
            target=150,
            more_is_better=False,
            beside=bare,
            others=p95(ceiling),
        ),
        Figure(
            what=f"GET /jobs/{{id}}, {CLIENTS} clients, {kind}",
            runs=per_second(read),
            unit="/s",
            target=900,
            beside=bare,
            others=per_second(ceiling),
        ),
    ]


def measure() -> list[Figure]:
    """Requests a second and their p95, beside the framework alone."""
    bare = start(BARE, environment())
    try:
        ceiling = reads(bare, ["/nothing/1"])
    finally:
        stop(bare)
    return [figure for kind in databases() for figure in figures_on(kind, ceiling)]
