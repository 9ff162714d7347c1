"""Names from users: kept for display, and cleaned where a file leaves."""

import re
import unicodedata
from urllib.parse import quote

DISPLAY_CHARACTERS = 255  # of a name that is kept; the longest a file system takes
STEM_BYTES = 120  # of a video's name inside the name of a result
UNNAMED = "video"
_UNSAFE = re.compile(r"[^\w\-. ]+")


def display_name(given: str) -> str:
    """A name as its user gave it, without characters that cannot be shown, not too long."""
    shown = "".join(each for each in given if unicodedata.category(each)[0] != "C")
    return shown.strip()[:DISPLAY_CHARACTERS] or UNNAMED


def stem(display: str) -> str:
    """A video's name as the beginning of a file name: no folders, no ending, no dots around it."""
    last = re.split(r"[/\\]", display)[-1]
    name = last.rpartition(".")[0] or last
    return _cut(_UNSAFE.sub("_", name).strip(" ._")) or UNNAMED


def _cut(name: str) -> str:
    return name.encode()[:STEM_BYTES].decode(errors="ignore").rstrip(" ._")


def ending(display: str) -> str:
    """The ending of a video's name, as `.mp4`; `.mp4` too when it has none."""
    found = re.search(r"\.([A-Za-z0-9]{1,5})$", display)
    return f".{found[1].lower()}" if found else ".mp4"


def public_name(pattern: str, display: str) -> str:
    """The name that a user gets: `{stem}_scenes.json` with the video's name put in."""
    return pattern.replace("{stem}", stem(display))


def attachment(name: str) -> str:
    """A Content-Disposition that makes a browser save the file as `name` (RFC 6266, RFC 8187)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    if plain == name:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
