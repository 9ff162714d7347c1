"""No library reports on its use: the folders in which they would keep their reports stay empty."""

import os
import subprocess
import sys
from pathlib import Path

from videoannotator.settings.declining import DECLINED

PROGRAM = """
from videoannotator.pipelines.voice_activity.silero import Silero, read_model
Silero(read_model())
"""


def test_the_engine_of_voice_activity_leaves_nothing_behind(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in (*DECLINED, "CI")}
    folders = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}

    subprocess.run([sys.executable, "-c", PROGRAM], env={**kept, **folders}, check=True)

    assert list(tmp_path.rglob("*")) == []
