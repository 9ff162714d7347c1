"""Why a local worker ended."""

import errno
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain.errors import (
    InvalidRequest,
    StorageDenied,
    StorageError,
    StorageFull,
    Unavailable,
)
from videoannotator.domain.failures import Code, Failure
from videoannotator.scheduler.launchers.endings import Ending, failure_of
from videoannotator.scheduler.launchers.faults import fault_of
from videoannotator.scheduler.launchers.memory import kills


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (1, Code.PIPELINE_ERROR),
        (2, Code.PIPELINE_ERROR),
        (64, Code.REQUEST_ERROR),
        (65, Code.MEDIA_ERROR),
        (66, Code.GPU_OOM),
        (74, Code.STORAGE_ERROR),
        (75, Code.GPU_DIRTY),
        (76, Code.UNREACHABLE),
        (126, Code.SPEC_INVALID),
        (127, Code.SPEC_INVALID),
        (137, Code.KILLED_UNKNOWN),
        (143, Code.KILLED_UNKNOWN),
        (255, Code.KILLED_UNKNOWN),
        (-9, Code.KILLED_UNKNOWN),
        (-11, Code.KILLED_UNKNOWN),
        (-64, Code.KILLED_UNKNOWN),
        (None, Code.KILLED_UNKNOWN),
    ],
)
def test_an_exit_status_tells_what_happened(status: int | None, code: Code) -> None:
    failure = failure_of(Ending(status=status, log_tail=("last",)))

    assert failure is not None
    assert (failure.code, failure.log_tail) == (code, ("last",))
    assert failure.message


@pytest.mark.parametrize("ending", [Ending(status=0), Ending(status=143, asked=True)])
def test_a_worker_that_finished_or_was_asked_has_not_failed(ending: Ending) -> None:
    assert failure_of(ending) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(-9, Code.OOM_KILLED), (137, Code.OOM_KILLED), (-11, Code.KILLED_UNKNOWN)],
)
def test_a_kill_while_memory_ran_out_was_for_memory(status: int, code: Code) -> None:
    failure = failure_of(Ending(status=status, out_of_memory=True))

    assert failure is not None
    assert failure.code is code


@pytest.mark.parametrize("ending", [{"status": 1}, {"status": 0}, {"status": None, "asked": True}])
def test_the_last_words_of_a_worker_win(ending: dict[str, Any]) -> None:
    words = {
        "code": "GPU_OOM",
        "message": "Too large.",
        "hint": "Use a smaller model.",
        "stage": "load",
        "position_seconds": 2,
    }

    assert failure_of(Ending(words=words, **ending)) == Failure(
        code=Code.GPU_OOM,
        message="Too large.",
        hint="Use a smaller model.",
        stage="load",
        position_seconds=2.0,
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)
words = st.fixed_dictionaries(
    {},
    optional={
        "code": anything | st.sampled_from([code.value for code in Code]),
        "message": anything,
        "hint": anything,
        "stage": anything,
        "position_seconds": anything | st.just(10**400),
    },
)


@given(words, st.none() | st.integers(-70, 255))
def test_no_last_words_break_it(words: dict[str, Any], status: int | None) -> None:
    failure = failure_of(Ending(words=words, status=status))

    assert failure is None or "\0" not in failure.message + failure.hint + failure.stage


@pytest.mark.parametrize(
    ("own", "counts", "expected"),
    [
        ("0::/a/b\n", {"a/b/memory.events": "oom 4\noom_kill 3\noom_group_kill 0\n"}, 3),
        ("0::/elsewhere\n", {"memory.events": "oom 0\noom_kill 2\n"}, 2),
        ("4:cpu,memory:/a\n0::/\n", {"memory/a/memory.oom_control": "under_oom 0\noom_kill 5"}, 5),
        ("4:memory:/x\n", {"memory/memory.oom_control": "oom_kill_disable 0\noom_kill 1\n"}, 1),
        ("0::/a\n", {"a/memory.events": "oom 1\n"}, None),
        ("", {}, None),
    ],
)
def test_kills_for_memory_are_counted_in_our_own_group(
    tmp_path: Path, own: str, counts: dict[str, str], expected: int | None
) -> None:
    (tmp_path / "own").write_text(own)
    for name, text in counts.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text(text)

    assert kills(tmp_path / "own", tmp_path / "root") == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EROFS, StorageDenied),
        (errno.EACCES, StorageDenied),
        (errno.EAGAIN, Unavailable),
        (errno.ENOMEM, Unavailable),
        (errno.EMFILE, Unavailable),
        (errno.E2BIG, InvalidRequest),
        (errno.ENOLCK, StorageError),
        (errno.EIO, StorageError),
    ],
)
def test_errors_of_the_system_have_our_names(number: int, expected: type[Exception]) -> None:
    assert type(fault_of(OSError(number, ""))) is expected
