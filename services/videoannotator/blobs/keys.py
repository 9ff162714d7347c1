"""The one layout of keys.

Every part is an id of ours or a fixed word: names from users never become keys.
"""

INCOMING = "incoming"
VIDEOS = "videos"


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


def attempt_folder(owner_id: str, job_id: str, pipeline: str, attempt: int) -> str:
    """What one attempt wrote, under fixed names; the manifest is written last."""
    return f"{job_folder(owner_id, job_id)}/{pipeline}/{attempt}"
