"""Names from users: kept for display, put into headers."""

import re
import unicodedata
from urllib.parse import quote

from videoannotator.formats.names import safe_name

DISPLAY_CHARACTERS = 255  # of a name that is kept; the longest a file system takes
UNNAMED = "video"


def display_name(given: str) -> str:
    """A name as its user gave it, without characters that cannot be shown, not too long."""
    shown = "".join(each for each in given if unicodedata.category(each)[0] != "C")
    return shown.strip()[:DISPLAY_CHARACTERS] or UNNAMED


def video_name(display: str) -> str:
    """What a video is called where it leaves; with an ending, which some programs need."""
    name = safe_name(display)
    return name if re.search(r"\.[A-Za-z0-9]{1,5}$", name) else f"{name}.mp4"


def attachment(name: str) -> str:
    """A Content-Disposition that makes a browser save the file as `name` (RFC 6266, RFC 8187)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    if plain == name:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
