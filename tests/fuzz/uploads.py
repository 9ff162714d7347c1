"""Mutated submissions to a real api: see supervising.py for the arguments."""

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.forms import Form, Submission, intact, submission
from tests.fuzz.serving import LEAKED, Service, api
from tests.fuzz.sources import read_sources
from tests.fuzz.telling import Teller, dice_for

PART = "uploads"
GOOD_EVERY = 10  #: inputs, for a whole good upload; after each one there is a small good request
PATIENT_SECONDS = 30.0
QUIET_SECONDS = 0.25  #: for a request that HTTP itself does not allow: the client goes away
CONTINUE = re.compile(rb"^HTTP/1\.1 100 [^\r]*\r\n\r\n")
STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3})")


def judge(service: Service, sent: Submission) -> tuple[str, list[str]]:
    """What the server answered, and what was wrong with that."""
    answer = service.exchange(sent.request, PATIENT_SECONDS if sent.complete else QUIET_SECONDS)
    answer = CONTINUE.sub(b"", answer)
    status = STATUS.match(answer)
    wrong = list(answered_badly(answer, service))
    if status is None and sent.complete:
        wrong.append(f"no answer: {answer[:200]!r}")
    return (status[1].decode() if status else "left"), wrong


def answered_badly(answer: bytes, service: Service) -> Iterator[str]:
    """What no answer may be."""
    status = STATUS.match(answer)
    if status is None:
        return
    head, _, body = answer.partition(b"\r\n\r\n")
    if status[1].startswith(b"5"):
        yield f"answered {answer[:1500]!r}"
    if LEAKED.search(answer) or str(service.root).encode() in answer:
        yield f"tells too much: {answer[:1500]!r}"
    if status[1].startswith(b"4") and b"application/json" in head and body:
        yield from unlike_an_envelope(body)


def unlike_an_envelope(body: bytes) -> Iterator[str]:
    """Every error of ours has one shape."""
    try:
        told = json.loads(body)
        complete = told["error"]["code"] and told["error"]["message"] and told["detail"]
    except (ValueError, KeyError, TypeError) as error:
        yield f"no envelope: {error!r}: {body[:500]!r}"
        return
    if not complete:
        yield f"says nothing: {body[:500]!r}"


def serves(service: Service, video: bytes, number: int) -> Iterator[str]:
    """Whether a good request is answered well."""
    look = Form(parts=(), method="GET", path="/api/v1/jobs?per_page=1", raw=b"")
    answer = service.exchange(look.request(service.key), PATIENT_SECONDS)
    if not answer.startswith(b"HTTP/1.1 200"):
        yield f"a good request got {answer[:500]!r}"
    if number % GOOD_EVERY == 0:
        form = intact(video, dice_for(0, "good", number))
        answer = service.exchange(form.request(service.key), PATIENT_SECONDS)
        if not answer.startswith(b"HTTP/1.1 201"):
            yield f"a good upload got {answer[:500]!r}"


def half_videos(service: Service) -> Iterator[str]:
    """Rows of videos without bytes and bytes without rows."""
    with sqlite3.connect(service.root / "videoannotator.db") as rows:
        known = {key for (key,) in rows.execute("select key from videos")}
    stored = {
        path.relative_to(service.root).as_posix()
        for path in (service.root / "videos").rglob("*")
        if path.is_file()
    }
    if known != stored:
        yield f"rows without bytes: {known - stored}; bytes without rows: {stored - known}"


def main(folder: Path, seed: int, first: int, last: int) -> None:
    """Sends the submissions of these numbers."""
    videos = list(read_sources(folder / "sources").values())
    inputs, teller = folder / "inputs", Teller()
    inputs.mkdir(exist_ok=True)
    with api(folder) as service:
        for number in range(first, last):
            dice = dice_for(seed, PART, number)
            teller.begin(number)
            video = dice.choice(videos)
            sent = submission(video, service.key, dice)
            path = inputs / f"{number}.http"
            path.write_bytes(sent.request)
            outcome, wrong = judge(service, sent)
            wrong += service.wrong()
            wrong += serves(service, video, number)
            if number % GOOD_EVERY == 0 or number == last - 1:
                wrong += half_videos(service)
            if not wrong:
                path.unlink()
            teller.end(sent.kind, outcome, [f"{sent.kind}: {each}" for each in wrong])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
