"""What went wrong, as a public code."""

import errno
import signal

import pytest

from videoannotator.domain import errors
from videoannotator.domain.failures import Code, Failure
from videoannotator.inference.failures import code_of, exit_status, failure_of
from videoannotator.inference.last_words import MAX_BYTES, last_words
from videoannotator.rpc.work import Completed


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


PLACE = "/secret/place"
CODES = [
    (errors.MediaError("Broken.", second=2.0), Code.MEDIA_ERROR),
    (errors.InvalidConfig("No."), Code.REQUEST_ERROR),
    (errors.StorageFull(), Code.STORAGE_ERROR),
    (errors.StorageDenied(), Code.STORAGE_ERROR),
    (errors.BlobNotFound(), Code.STORAGE_ERROR),
    (errors.ManifestInvalid(), Code.MANIFEST_INVALID),
    (OSError(errno.ENOSPC, "full", PLACE), Code.STORAGE_ERROR),
    (OSError(errno.EDQUOT, "quota", PLACE), Code.STORAGE_ERROR),
    (OSError(errno.EIO, "broken", PLACE), Code.STORAGE_ERROR),
    (FileNotFoundError(errno.ENOENT, "none", PLACE), Code.PIPELINE_ERROR),
    (MemoryError(), Code.OOM_KILLED),
    (OutOfMemoryError(PLACE), Code.GPU_OOM),
    (errors.Stopped(), Code.PIPELINE_ERROR),
    (errors.PipelineUnavailable("It needs x."), Code.PIPELINE_ERROR),
    (ValueError(PLACE), Code.PIPELINE_ERROR),
    (StopIteration(PLACE), Code.PIPELINE_ERROR),
    (SystemExit(0), Code.PIPELINE_ERROR),
    (KeyboardInterrupt(), Code.PIPELINE_ERROR),
]


@pytest.mark.parametrize(("error", "code"), CODES)
def test_every_error_has_its_code_and_says_no_path(error: BaseException, code: Code) -> None:
    failure = failure_of(error, "detecting", 12.0)

    assert code_of(error) is failure.code is code
    assert failure.message
    assert PLACE not in failure.message
    assert failure.stage == "detecting"


def test_a_media_error_knows_its_second_better_than_the_work() -> None:
    assert failure_of(errors.MediaError(second=2.0), "s", 12.0).position_seconds == 2.0
    assert failure_of(errors.MediaError(), "s", 12.0).position_seconds == 12.0


def test_our_errors_keep_their_message_and_hint() -> None:
    failure = failure_of(errors.StorageFull("No space."))

    assert (failure.message, failure.hint) == ("No space.", errors.StorageFull.hint)


DONE = Completed(manifest_sha256="00")


def failed(code: Code) -> Failure:
    """A failure with this code."""
    return Failure(code=code, message="m")


@pytest.mark.parametrize(
    ("end", "number", "orphan", "status"),
    [
        (DONE, None, False, 0),
        (DONE, None, True, 0),
        (DONE, signal.SIGTERM, False, 143),
        (None, signal.SIGTERM, False, 143),
        (None, signal.SIGINT, False, 130),
        (None, None, False, 143),
        (None, None, True, 76),
        (failed(Code.REQUEST_ERROR), None, False, 64),
        (failed(Code.MEDIA_ERROR), None, True, 65),
        (failed(Code.GPU_OOM), None, False, 66),
        (failed(Code.GPU_DIRTY), None, False, 75),
        (failed(Code.PIPELINE_ERROR), None, False, 1),
        (failed(Code.STORAGE_ERROR), None, True, 74),
        (failed(Code.MEDIA_ERROR), signal.SIGTERM, False, 143),
    ],
)
def test_the_exit_status_says_how_it_ended(
    end: Completed | Failure | None, number: int | None, orphan: bool, status: int
) -> None:
    assert exit_status(end, signal=number, orphan=orphan) == status


@pytest.mark.parametrize("code", list(Code))
def test_no_failure_ever_looks_like_success(code: Code) -> None:
    assert exit_status(failed(code), signal=None, orphan=False) != 0


@pytest.mark.parametrize("character", ["x", "ü", "\N{FILM FRAMES}", "\x01"])
def test_last_words_fit_where_kubernetes_cuts_them(character: str) -> None:
    long = character * 10_000
    failure = Failure(code=Code.PIPELINE_ERROR, message=long, hint=long, stage=long)

    assert len(last_words(failure)) <= MAX_BYTES


def test_last_words_give_the_hint_of_the_code_when_there_is_no_other() -> None:
    assert b"convert it to MP4" in last_words(failed(Code.MEDIA_ERROR))
