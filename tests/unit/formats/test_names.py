"""Names of files that leave, made from names of users."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.formats.names import MOST_BYTES, clean_stem, public_name, safe_name

TEMPLATE = "{stem}_scene_detection.json"


@pytest.mark.parametrize(
    ("display_name", "stem"),
    [
        ("clip.mp4", "clip"),
        ("Familie Müller 2.mov", "Familie Müller 2"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system32\\cmd.exe", "cmd"),
        ("/", "video"),
        ("..", "video"),
        (".", "video"),
        ("", "video"),
        ("   ", "video"),
        (".hidden.mp4", "hidden"),
        ("-rf.mp4", "rf"),
        ("a\x00b\nc\x1b[31m.mp4", "abc[31m"),
        ("evil\u202egpj.mp4", "evilgpj"),
        ('a<b>:"|?*.mp4', "a_b______"),
        ("CON", "_CON"),
        ("con.mp4", "_con"),
        ("no extension", "no extension"),
        ("archive.tar.gz", "archive.tar"),
        ("影片 🎬.mp4", "影片 🎬"),
        ("e\u0301t\u00e9.mp4", "été"),
        ("👩\u200d👧.mp4", "👩\u200d👧"),
        ("trailing. . .mp4", "trailing"),
    ],
)
def test_the_stem_is_what_is_safe_of_the_name(display_name: str, stem: str) -> None:
    assert clean_stem(display_name) == stem


def test_three_hundred_emoji_become_a_name_that_fits() -> None:
    name = public_name(TEMPLATE, "🎬" * 300 + ".mp4")

    assert len(name.encode()) <= MOST_BYTES
    assert name.startswith("🎬" * 40)
    assert name.endswith("_scene_detection.json")


@given(st.text(max_size=80))
def test_no_name_can_leave_its_folder_or_be_empty(display_name: str) -> None:
    for name in (public_name(TEMPLATE, display_name), safe_name(display_name)):
        assert name
        assert not set(name) & set('/\\<>:"|?*')
        assert name[0] not in ".-~ "
        assert name[-1] not in ". "
        assert len(name.encode()) <= MOST_BYTES
        assert unicodedata.is_normalized("NFC", name)
        assert not any(unicodedata.category(each) in {"Cc", "Cs"} for each in name)


@given(st.text(max_size=60))
def test_cleaning_twice_changes_nothing_more(display_name: str) -> None:
    once = safe_name(display_name)

    assert safe_name(once) == once


@pytest.mark.parametrize(
    ("display_name", "name"),
    [
        ("clip.MP4", "clip.MP4"),
        ("../x/Müller.mkv", "Müller.mkv"),
        ("x" * 400 + ".webm", "x" * (MOST_BYTES - 5) + ".webm"),
        ("", "video"),
    ],
)
def test_the_video_keeps_its_extension(display_name: str, name: str) -> None:
    assert safe_name(display_name) == name


def test_a_template_without_stem_is_the_name() -> None:
    assert public_name("scenes.json", "clip.mp4") == "scenes.json"
