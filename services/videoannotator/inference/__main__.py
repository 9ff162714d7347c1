"""`python -m videoannotator.inference <pipeline>`: one worker, with settings from its launcher."""

import asyncio
import os
import sys

from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.domain.failures import Code
from videoannotator.inference.failures import EXIT_CODES
from videoannotator.inference.process import WorkerProcess, end_session
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.rpc.certificates import certificates_of
from videoannotator.settings import (
    RpcSettings,
    TelemetrySettings,
    load_settings,
    load_worker_settings,
)
from videoannotator.settings.declining import decline_telemetry
from videoannotator.telemetry import bound, configure, get_logger

log = get_logger(__name__)


async def serve(pipeline: str, rpc: RpcSettings) -> int:
    """Runs the worker of `pipeline`. Returns the exit status. Raises: InvalidSetting, NotFound."""
    settings = load_worker_settings()
    spec = Catalogue.load().get(pipeline)
    with bound(worker_id=settings.id):
        return await WorkerProcess(settings, spec, certificates_of(rpc)).run()


def main(arguments: list[str]) -> int:
    """The exit status: see `inference.failures`. A worker that cannot start is a bad request."""
    decline_telemetry()
    configure("inference", TelemetrySettings(log_format="json"))
    if len(arguments) != 1:
        log.error("usage: python -m videoannotator.inference <pipeline>")
        return EXIT_CODES[Code.REQUEST_ERROR]
    try:
        settings = load_settings(dotenv=None)
        level = settings.telemetry.log_level
        configure("inference", TelemetrySettings(log_format="json", log_level=level))
        return asyncio.run(serve(arguments[0], settings.rpc))
    except VideoAnnotatorError as error:
        log.error("the worker cannot start", reason=error.message, hint=error.hint)
        return EXIT_CODES[Code.REQUEST_ERROR]


if __name__ == "__main__":
    status = main(sys.argv[1:])
    end_session()
    sys.stderr.flush()
    # The pipeline's thread may still hang in its engine: nobody waits for it.
    os._exit(status)
