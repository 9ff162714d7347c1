"""Names of files that leave the service: the one place where a user's name becomes part of one."""

import re
import unicodedata
from pathlib import PurePosixPath

MOST_BYTES = 200  #: of a name in UTF-8; file systems allow 255, and a suffix must still fit
STEM = "{stem}"  #: stands for the video's name in a template
NAMELESS = "video"  #: instead of a name of which nothing is left

# Not allowed in names on Windows, in headers or in archives. Spaces and all other scripts are.
_FORBIDDEN = re.compile(r'[<>:"|?*\\/]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows
# Letters in categories of control, format (which can turn text around), surrogates, private use.
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
_JOINERS = (
    "\u200c\u200d"  # format characters that Persian, Indic scripts and emoji are written with
)


def public_name(template: str, display_name: str) -> str:
    """A safe file name from a template such as `{stem}_scene_detection.json`.

    `display_name` is what the user called the video; only its cleaned stem is used. Without
    `{stem}` the template is the name.
    """
    room = MOST_BYTES - len(template.replace(STEM, "").encode())
    return template.replace(STEM, _shortened(clean_stem(display_name), room))


def safe_name(display_name: str) -> str:
    """The whole name made safe, its extension kept: for the video itself."""
    name = _cleaned(display_name)
    suffix = PurePosixPath(name).suffix
    if not suffix or len(suffix.encode()) > MOST_BYTES // 4:
        return _shortened(name, MOST_BYTES)
    return _shortened(name.removesuffix(suffix), MOST_BYTES - len(suffix.encode())) + suffix


def clean_stem(display_name: str) -> str:
    """The name without folders and extension, safe and never empty."""
    name = _cleaned(display_name)
    return _trimmed(PurePosixPath(name).stem) or NAMELESS


def _cleaned(display_name: str) -> str:
    """The last part of what may be a path, without what file systems and terminals trip over."""
    last = re.split(r"[/\\]", display_name.rstrip("/\\"))[-1]
    seen = "".join(filter(_is_seen, unicodedata.normalize("NFC", last)))
    name = _trimmed(_FORBIDDEN.sub("_", seen))
    if _DEVICE.fullmatch(name):
        name = f"_{name}"
    return name or NAMELESS


def _is_seen(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _UNSEEN


def _trimmed(name: str) -> str:
    """Leading dots hide files; spaces and dots at the end are lost on Windows."""
    return name.strip().lstrip(".-~ ").rstrip(". ").strip(_JOINERS)


def _shortened(name: str, most_bytes: int) -> str:
    """As much of the name as fits, cut between characters."""
    short = name.encode()[: max(most_bytes, 0)].decode(errors="ignore")
    return _trimmed(short) or NAMELESS
