"""The writer of long lists: valid whatever the rows hold, and never all of them in memory."""

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain.errors import StorageError
from videoannotator.formats.json_stream import BATCH_ROWS, pieces, write_rows

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
ROWS = st.dictionaries(TEXTS, VALUES, max_size=4)


def written(rows: Any, before: dict[str, Any], after: dict[str, Any]) -> Any:
    """What another reader finds in what was written."""
    return json.loads(b"".join(pieces(before, "rows", rows, after=after)))


@given(rows=st.lists(ROWS, max_size=4), before=ROWS, after=ROWS)
def test_another_reader_finds_what_was_written(
    rows: list[dict[str, Any]], before: dict[str, Any], after: dict[str, Any]
) -> None:
    first = {f"a{key}": value for key, value in before.items()}
    last = {f"z{key}": value for key, value in after.items()}

    assert written(rows, first, last) == {**first, "rows": rows, **last}


@pytest.mark.parametrize(
    "count", [0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 3 * BATCH_ROWS]
)
def test_batches_meet_without_a_seam(count: int) -> None:
    rows = [{"id": number} for number in range(count)]

    assert written(iter(rows), {"schema": "s/1"}, {}) == {"schema": "s/1", "rows": rows}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "place",
    [
        lambda number: {"score": number},
        lambda number: {"none": None, "box": [1.0, number]},
        lambda number: {"nested": {"list": [{"deep": (1, [number, "word"])}]}},
    ],
)
def test_numbers_that_are_not_finite_are_refused(number: float, place: Any) -> None:
    rows = [{"score": 0.5}, place(number)]

    with pytest.raises(ValueError, match="not finite"):
        written(rows, {}, {})


def test_not_finite_is_refused_outside_of_the_list_too() -> None:
    with pytest.raises(ValueError, match="not finite"):
        written([], {}, {"info": {"rate": math.nan}})


def test_a_row_may_hold_none_beside_words_and_numbers() -> None:
    rows = [{"score": None, "words": "null", "box": [1, 2.5, None]}]

    assert written(rows, {}, {})["rows"] == rows


def test_no_more_than_one_batch_of_rows_is_held() -> None:
    taken: list[int] = []

    def rows() -> Iterator[dict[str, int]]:
        for number in range(10 * BATCH_ROWS):
            taken.append(number)
            yield {"id": number}

    seen_at: list[int] = [len(taken) for _ in pieces({}, "rows", rows(), after={})]

    steps = [after - before for before, after in pairwise(seen_at)]
    assert len(taken) == 10 * BATCH_ROWS
    assert max(steps) == BATCH_ROWS


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        write_rows(tmp_path / "missing" / "file.json", {}, "rows", [])
