"""The client against a server that answers as it was told."""

import hashlib
import itertools
from pathlib import Path

import pytest

from tests.fakes.server import API, Answer, FakeServer, envelope, file_body, job_body, run_body
from videoannotator.client import Client
from videoannotator.domain import errors
from videoannotator.domain.jobs import JobState, RunState

JOBS = f"{API}/jobs"
CONTENT = b"{}"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = f"{JOBS}/j1/results/files/scene_detection"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def with_file(server: FakeServer, sha256: str = SHA256) -> None:
    run = run_body("succeeded", artifacts=[file_body(sha256)])
    server.gives("GET", f"{JOBS}/j1", job_body(runs=[run]))


def test_a_job_is_read_with_its_runs(client: Client, server: FakeServer) -> None:
    server.gives("GET", f"{JOBS}/j1", job_body("failed", queue_position=2))

    job = client.job("j1")

    assert (job.status, job.queue_position, job.ended) == (JobState.FAILED, 2, True)
    (run,) = job.runs
    assert (run.status, run.seconds, run.rate) == (RunState.FAILED, 2.0, 12.5)
    assert run.error is not None
    assert run.error.code == "MEDIA_ERROR"


def test_a_job_of_the_public_server_is_read_too(client: Client, server: FakeServer) -> None:
    old = {"id": "j1", "status": "pending", "created_at": "2026-01-31T12:00:00"}
    server.gives("GET", f"{JOBS}/j1", old)

    job = client.job("j1")

    assert job.runs == ()
    assert job.created_at is not None
    assert job.created_at.utcoffset() is not None


def test_the_key_is_sent_with_every_request(client: Client, server: FakeServer) -> None:
    server.gives("GET", f"{JOBS}/j1", job_body())

    client.job("j1")

    assert server.asked[0].headers["Authorization"] == "Bearer va_key"


def test_an_id_never_becomes_another_path(client: Client, server: FakeServer) -> None:
    with pytest.raises(errors.NotFound):
        client.job("../pipelines")

    assert server.paths() == [f"{JOBS}/..%2Fpipelines"]


def test_a_video_is_sent_with_all_that_was_asked(
    client: Client, server: FakeServer, video: Path
) -> None:
    server.gives("POST", JOBS, job_body("pending"), 201)
    told: list[tuple[int, int]] = []

    client.submit(
        video,
        ["a", "b"],
        {"a": {"x": 1}},
        priority=3,
        report=lambda sent, size: told.append((sent, size)),
    )

    (asked,) = server.asked
    assert video.read_bytes() in asked.body
    assert b'filename="clip.mp4"' in asked.body
    assert b"a,b" in asked.body
    assert b'{"a": {"x": 1}}' in asked.body
    assert told[-1] == (256_000, 256_000)


def test_a_video_is_read_in_small_blocks(client: Client, server: FakeServer, video: Path) -> None:
    server.gives("POST", JOBS, job_body("pending"), 201)
    told: list[int] = []

    client.submit(video, ["a"], report=lambda sent, size: told.append(sent))

    assert max(b - a for a, b in itertools.pairwise([0, *told])) <= 64 * 1024


def test_a_video_is_sent_again_under_the_same_key(
    client: Client, server: FakeServer, video: Path, waits: list[float]
) -> None:
    busy = Answer(status=503, body=envelope("UNAVAILABLE", "Not now."))
    server.says("POST", JOBS, busy, Answer(status=201, body=job_body("pending")))

    client.submit(video, ["a"])

    keys = {asked.headers["Idempotency-Key"] for asked in server.asked}
    assert len(server.asked) == 2
    assert len(keys) == 1
    assert video.read_bytes() in server.asked[1].body
    assert len(waits) == 1


def test_two_submissions_have_two_keys(client: Client, server: FakeServer, video: Path) -> None:
    server.gives("POST", JOBS, job_body("pending"), 201)

    client.submit(video, ["a"])
    client.submit(video, ["a"])

    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 2


def test_a_refusal_before_the_body_is_read_is_told(
    client: Client, server: FakeServer, tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 * 1024**2)
    refusal = Answer(status=401, body=envelope("HTTP_ERROR", "No."), before_body=True)
    server.says("POST", JOBS, refusal)

    with pytest.raises(errors.Unauthenticated):
        client.submit(large, ["a"])

    assert len(server.asked) == 1


def test_a_video_that_is_not_there_is_told_before_anything_is_sent(
    client: Client, server: FakeServer, tmp_path: Path
) -> None:
    with pytest.raises(errors.StorageError):
        client.submit(tmp_path / "none.mp4", ["a"])

    assert server.asked == []


def test_the_server_decides_how_long_to_wait(
    client: Client, server: FakeServer, waits: list[float]
) -> None:
    busy = Answer(status=429, body=envelope("LIMIT_REACHED", "x"), headers={"Retry-After": "7"})
    server.says("GET", f"{JOBS}/j1", busy, Answer(body=job_body()))

    client.job("j1")

    assert waits == [7.0]


def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for(
    client: Client, server: FakeServer, waits: list[float]
) -> None:
    busy = Answer(status=429, body=envelope("LIMIT_REACHED", "x"), headers={"Retry-After": "3600"})
    server.says("GET", f"{JOBS}/j1", busy)

    with pytest.raises(errors.LimitReached) as refused:
        client.job("j1")

    assert refused.value.retry_after_seconds == 3600
    assert waits == []


def test_nothing_is_tried_for_ever(client: Client, server: FakeServer, waits: list[float]) -> None:
    server.gives("GET", f"{JOBS}/j1", envelope("UNAVAILABLE", "Not now."), 503)

    with pytest.raises(errors.Unavailable):
        client.job("j1")

    assert len(server.asked) == 4
    assert len(waits) == 3


def test_a_server_that_is_not_there_is_told(server: FakeServer, waits: list[float]) -> None:
    from videoannotator.client.transport import Transport

    transport = Transport("http://127.0.0.1:9", sleep=waits.append)

    with (
        Client("", transport=transport) as client,
        pytest.raises(errors.Unavailable, match="cannot be reached"),
    ):
        client.health()

    assert len(waits) == 3


@pytest.mark.parametrize("address", ["localhost:18011", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(errors.InvalidRequest), Client(address) as client:
        client.health()


def test_another_server_is_not_taken_for_ours(client: Client, server: FakeServer) -> None:
    server.gives("GET", f"{JOBS}/j1", b"<html>hello</html>")

    with pytest.raises(errors.Unavailable, match="not one of VideoAnnotator"):
        client.job("j1")


def test_every_page_is_listed_and_no_job_twice(client: Client, server: FakeServer) -> None:
    pages = [["a", "b"], ["b", "c"], ["d"]]
    server.says(
        "GET",
        JOBS,
        *(
            Answer(
                body={
                    "jobs": [job_body(id=each) for each in ids],
                    "total": 5,
                    "page": number,
                    "per_page": 2,
                }
            )
            for number, ids in enumerate(pages, 1)
        ),
    )

    found = [job.id for job in client.jobs(status=JobState.FAILED)]

    assert found == ["a", "b", "c", "d"]
    assert [asked.query["page"] for asked in server.asked] == [["1"], ["2"], ["3"]]
    assert server.asked[0].query["status_filter"] == ["failed"]


def test_a_cancel_is_sent_again(client: Client, server: FakeServer) -> None:
    server.says(
        "POST",
        f"{JOBS}/j1/cancel",
        Answer(status=503, body=envelope("UNAVAILABLE", "x")),
        Answer(body=job_body("cancelling")),
    )

    assert client.cancel("j1").status is JobState.CANCELLING


def test_a_job_is_deleted(client: Client, server: FakeServer) -> None:
    server.says("DELETE", f"{JOBS}/j1", Answer(status=204))

    client.delete("j1")

    assert server.paths("DELETE") == [f"{JOBS}/j1"]


def test_files_are_saved_under_their_public_names(
    client: Client, server: FakeServer, tmp_path: Path
) -> None:
    with_file(server)
    server.gives("GET", FILE, CONTENT)

    (path,) = client.download("j1", tmp_path / "new" / "folder")

    assert path == tmp_path / "new" / "folder" / "clip_scene_detection.json"
    assert path.read_bytes() == CONTENT
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_that_breaks_off_is_fetched_again(
    client: Client, server: FakeServer, tmp_path: Path, waits: list[float]
) -> None:
    with_file(server)
    server.says("GET", FILE, Answer(body=b"{", missing_bytes=1), Answer(body=CONTENT))

    (path,) = client.download("j1", tmp_path)

    assert path.read_bytes() == CONTENT
    assert len(waits) == 1


def test_a_damaged_file_is_refused_and_nothing_stays(
    client: Client, server: FakeServer, tmp_path: Path
) -> None:
    with_file(server, sha256="0" * 64)
    server.gives("GET", FILE, CONTENT)

    with pytest.raises(errors.StorageError, match="SHA-256"):
        client.download("j1", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_the_key_is_not_sent_to_another_server(
    client: Client, server: FakeServer, tmp_path: Path
) -> None:
    foreign = file_body(SHA256) | {"download_url": "http://127.0.0.1:9/x"}
    server.gives("GET", f"{JOBS}/j1", job_body(runs=[run_body("succeeded", artifacts=[foreign])]))

    with pytest.raises(errors.Unavailable, match="another server"):
        client.download("j1", tmp_path)


def test_nothing_to_download_is_told(client: Client, server: FakeServer, tmp_path: Path) -> None:
    server.gives("GET", f"{JOBS}/j1", job_body("pending", runs=[run_body("pending")]))

    with pytest.raises(errors.NothingFinished):
        client.download("j1", tmp_path)


def test_the_archive_is_saved_as_one_file(
    client: Client, server: FakeServer, tmp_path: Path
) -> None:
    server.gives("GET", f"{JOBS}/j1/artifacts", b"PK")

    path = client.artifacts("j1", tmp_path / "all.zip")

    assert path.read_bytes() == b"PK"


def test_results_pipelines_checks_and_health_are_read(client: Client, server: FakeServer) -> None:
    results = {"job_id": "j1", "status": "completed", "pipeline_results": {"a": {"status": "x"}}}
    finding = {"field": "a.x", "message": "No.", "suggestion": "y"}
    server.gives("GET", f"{JOBS}/j1/results", results)
    server.gives("GET", f"{API}/pipelines", {"pipelines": [{"name": "a"}], "total": 1})
    server.gives("GET", f"{API}/pipelines/a", {"name": "a", "availability": {"state": "available"}})
    server.gives("POST", f"{API}/config/validate", {"valid": False, "errors": [finding]})
    server.gives("GET", f"{API}/health", {"status": "ok", "version": "2"})

    assert client.results("j1").pipeline_results["a"].status == "x"
    assert [each.name for each in client.pipelines()] == ["a"]
    assert client.pipeline("a").availability.state == "available"
    assert client.validate({"a": {"x": 1}}).errors[0].hint == "y"
    assert client.health().version == "2"


def test_an_operator_can_drain_and_abandon(client: Client, server: FakeServer) -> None:
    server.gives("POST", f"{API}/scheduler/drain", {})
    server.gives("POST", f"{API}/workers/w1/abandon", {}, 202)

    client.drain()
    client.abandon("w1")

    assert server.asked[0].body == b'{"on":true}'
    assert server.paths("POST")[1] == f"{API}/workers/w1/abandon"


def test_keys_are_listed_made_and_revoked(client: Client, server: FakeServer) -> None:
    key = {"id": "k1", "name": "laptop", "prefix": "abc", "created_at": "2026-01-31T12:00:00Z"}
    server.gives("GET", f"{API}/tokens", {"tokens": [key]})
    server.gives("POST", f"{API}/tokens", {**key, "token": "va_secret"}, 201)
    server.gives("DELETE", f"{API}/tokens/k1", {**key, "revoked_at": "2026-02-01T00:00:00Z"})

    made = client.create_token("laptop")

    assert made.secret == "va_secret"
    assert "va_secret" not in repr(made)
    assert [each.prefix for each in client.tokens()] == ["abc"]
    assert client.revoke_token("k1").revoked_at is not None


def test_a_key_is_not_asked_for_twice(client: Client, server: FakeServer) -> None:
    server.gives("POST", f"{API}/tokens", envelope("UNAVAILABLE", "Not now."), 503)

    with pytest.raises(errors.Unavailable):
        client.create_token("laptop")

    assert len(server.asked) == 1
