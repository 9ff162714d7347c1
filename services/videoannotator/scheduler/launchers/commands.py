"""The command line and the environment of a local worker: pure, from its stored body."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from videoannotator.domain.errors import InvalidRequest
from videoannotator.domain.jobs import Worker

#: What a worker gets of the scheduler's own environment. Never passwords, tokens or keys.
INHERITED = frozenset(
    {
        "CUDA_DEVICE_ORDER",
        "DYLD_LIBRARY_PATH",
        "HF_HOME",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "OMP_NUM_THREADS",
        "PATH",
        "PYTHONPATH",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
        "XDG_CACHE_HOME",
    }
)
INHERITED_PREFIX = "LC_"
VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
SCRATCH = "scratch"  #: beside the file for the last words; goes when the worker is gone
NOT_STARTABLE = "The operator must check how the pipeline is installed on this machine."


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is executed."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def command_of(
    worker: Worker, inherited: Mapping[str, str], listen: str, termination: Path
) -> Command:
    """The command of `worker`; `listen` is the gRPC address that it shall serve on.

    Raises: InvalidRequest when it can never start.
    """
    environment = {
        **_kept(inherited),
        **_texts(worker.body.get("environment", {})),
        "VIDEOANNOTATOR_WORKER_ID": worker.id,
        "VIDEOANNOTATOR_WORKER_LISTEN": listen,
        "VIDEOANNOTATOR_WORKER_TERMINATION_FILE": str(termination),
        "VIDEOANNOTATOR_WORKER_SCRATCH": str(termination.parent / SCRATCH),
        VISIBLE_GPUS: _gpus(worker.gpus, inherited.get(VISIBLE_GPUS)),
    }
    program, *rest = _arguments(worker)
    found = shutil.which(program, path=environment.get("PATH", "/usr/bin:/bin"))
    if found is None:
        raise InvalidRequest("The worker's program is not installed here.", hint=NOT_STARTABLE)
    return Command(arguments=(str(Path(found).absolute()), *rest), environment=environment)


def _arguments(worker: Worker) -> Sequence[str]:
    found = worker.body.get("arguments")
    if not isinstance(found, list | tuple) or not found:
        raise InvalidRequest("The worker has no command.", hint=NOT_STARTABLE)
    if any(not isinstance(word, str) or "\0" in word for word in found):
        raise InvalidRequest("The worker's command is not text.", hint=NOT_STARTABLE)
    return found


def _texts(environment: object) -> dict[str, str]:
    if not isinstance(environment, Mapping):
        raise InvalidRequest("The worker's environment is not a table.", hint=NOT_STARTABLE)
    for name, value in environment.items():
        if not isinstance(value, str) or "\0" in name + value or "=" in name or not name:
            raise InvalidRequest("The worker's environment is not text.", hint=NOT_STARTABLE)
    return dict(environment)


def _kept(inherited: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in inherited.items()
        if name in INHERITED or name.startswith(INHERITED_PREFIX)
    }
    if "PYTHONPATH" in kept:  # a worker runs in another folder
        paths = [str(Path(path).absolute()) for path in kept["PYTHONPATH"].split(":") if path]
        kept["PYTHONPATH"] = ":".join(paths)
    return kept


def _gpus(wanted: Sequence[int], visible: str | None) -> str:
    """The GPUs of a worker, none when it has none.

    `visible` is what the scheduler itself may use; the indices then count within it.
    """
    if not visible:
        return ",".join(str(index) for index in wanted)
    names = [name.strip() for name in visible.split(",")]
    if any(index >= len(names) for index in wanted):
        raise InvalidRequest("The worker needs a GPU that is not there.", hint=NOT_STARTABLE)
    return ",".join(names[index] for index in wanted)
