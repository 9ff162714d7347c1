"""Lines out of pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.scheduler.launchers.kubernetes.lines import Lines, LineTooLongError


@given(st.lists(st.text(alphabet="ab€{}"), max_size=8), st.integers(1, 9))
def test_lines_are_the_same_however_they_are_cut(texts: list[str], size: int) -> None:
    whole = "".join(f"{text}\n" for text in texts).encode()
    lines = Lines()

    found = [
        line for at in range(0, len(whole), size) for line in lines.feed(whole[at : at + size])
    ]

    assert found == [text.encode() for text in texts if text]


def test_a_line_that_has_no_end_yet_is_kept_back() -> None:
    lines = Lines()

    assert lines.feed(b'{"type":') == []
    assert lines.feed(b'"ADDED"}\n{') == [b'{"type":"ADDED"}']


def test_a_line_of_the_longest_length_passes() -> None:
    assert Lines(8).feed(b"12345678\n") == [b"12345678"]


@pytest.mark.parametrize("pieces", [(b"", b"123456789\n"), (b"12345", b"6789")])
def test_a_longer_line_is_refused_before_it_is_whole(pieces: tuple[bytes, bytes]) -> None:
    lines = Lines(8)
    lines.feed(pieces[0])

    with pytest.raises(LineTooLongError):
        lines.feed(pieces[1])
