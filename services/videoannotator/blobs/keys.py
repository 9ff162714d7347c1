"""The one layout of keys.

Every part is an id of ours or a fixed word: names from users never become keys.
"""

import re

from videoannotator.domain.errors import StorageDenied

INCOMING = "incoming"
VIDEOS = "videos"
DOOMED = "doomed"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}", re.ASCII)


def parts_of(key: str) -> list[str]:
    """The parts of a key, which are fit to be names of files.

    Raises: StorageDenied for what is no key, as one that leads out of its folder.
    """
    parts = key.split("/")
    if not all(_PART.fullmatch(part) for part in parts):
        raise StorageDenied("This storage key is not allowed.")
    return parts


def incoming(upload_id: str) -> str:
    """Bytes on their way in; swept."""
    return f"{INCOMING}/{upload_id}"


def video_folder(owner_id: str, video_id: str) -> str:
    """All that is kept of one video."""
    return f"{VIDEOS}/{owner_id}/{video_id}"


def video_id_of(key: str) -> str:
    """The video that a key below VIDEOS belongs to."""
    return key.split("/")[2]


def video_source(owner_id: str, video_id: str) -> str:
    """The video as uploaded; never modified."""
    return f"{video_folder(owner_id, video_id)}/source"


def job_folder(owner_id: str, job_id: str) -> str:
    """All that the runs of a job wrote."""
    return f"jobs/{owner_id}/{job_id}"


def doomed(owner_id: str, job_id: str) -> str:
    """Notes that the bytes of a deleted job are to be deleted once more."""
    return f"{DOOMED}/{owner_id}/{job_id}"


def job_folder_of(note: str) -> str:
    """The folder of the job that a key below DOOMED is about."""
    _, owner_id, job_id = parts_of(note)
    return job_folder(owner_id, job_id)


def attempt_folder(owner_id: str, job_id: str, pipeline: str, attempt: int) -> str:
    """What one attempt wrote, under fixed names; the manifest is written last."""
    return f"{job_folder(owner_id, job_id)}/{pipeline}/{attempt}"
