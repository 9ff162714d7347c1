"""The SDK: a typed, synchronous client of the REST interface.

    with Client("http://localhost:18011", token) as client:
        job = client.submit("clip.mp4", ["scene_detection"])
        for job in client.watch(job.id):
            print(job.status, job.progress)
        client.download(job.id, "results")

What may live here: what a program outside needs. It imports nothing of the services. Every failure
is an error of `videoannotator.domain.errors`.
"""

from videoannotator.client.client import Client
from videoannotator.client.pipelines import Availability, Finding, Output, Pipeline, Validation
from videoannotator.client.queue import Queue, Slot, Waiting
from videoannotator.client.records import (
    File,
    Health,
    Job,
    JobPage,
    PipelineResult,
    Results,
    Run,
    RunError,
    Token,
)

__all__ = [
    "Availability",
    "Client",
    "File",
    "Finding",
    "Health",
    "Job",
    "JobPage",
    "Output",
    "Pipeline",
    "PipelineResult",
    "Queue",
    "Results",
    "Run",
    "RunError",
    "Slot",
    "Token",
    "Validation",
    "Waiting",
]
