"""What results say about their making, and about damage."""

import av
import pytest

from videoannotator.pipelines.provenance import MOST_WARNINGS, clock, damage_warnings, decoder


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "00:00.000"),
        (1867.0, "31:07.000"),
        (59.9996, "01:00.000"),
        (360_000.5, "100:00:00.500"),
        (-0.25, "-00:00.250"),
    ],
)
def test_a_time_is_shown_for_people(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_damage_is_told_once_and_in_order_of_time() -> None:
    warnings = damage_warnings([(9.0, "b"), (3.0, "a"), (9.0, "b")])

    assert warnings == ("Damaged at 00:03.000: a.", "Damaged at 00:09.000: b.")


def test_endless_damage_is_counted() -> None:
    warnings = damage_warnings((float(second), "x") for second in range(MOST_WARNINGS + 7))

    assert len(warnings) == MOST_WARNINGS + 1
    assert warnings[-1] == "7 more damaged places."


def test_the_decoder_is_named_with_its_versions() -> None:
    assert decoder() == {
        "name": "PyAV",
        "version": av.__version__,
        "ffmpeg": av.ffmpeg_version_info,
    }
