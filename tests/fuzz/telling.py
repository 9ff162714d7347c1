"""What a child process tells its supervisor: a line when an input begins, one when it has ended."""

import faulthandler
import json
import sys
import time
from collections.abc import Iterable
from random import Random

#: On a busy machine; usual is a thousandth of it. A child that is over it ends, with its stack.
SECONDS_FOR_ONE = 120.0


def dice_for(seed: int, part: str, number: int) -> Random:
    """The choices for one input: the same in every run with this seed, whatever ran before."""
    return Random(f"{seed}:{part}:{number}")


class Teller:
    """Writes lines of JSON to stdout."""

    def __init__(self) -> None:
        """Nothing has begun."""
        self._began_at = 0.0
        self._number = -1

    def begin(self, number: int) -> None:
        """An input comes to its turn; it must end in time."""
        self._began_at, self._number = time.monotonic(), number
        faulthandler.dump_traceback_later(SECONDS_FOR_ONE, exit=True)
        _write(begun=number)

    def end(self, kind: str, outcome: str, wrong: Iterable[str] = ()) -> None:
        """It ended: `outcome` in a word or two; `wrong` says what was not as it must be."""
        faulthandler.cancel_dump_traceback_later()
        seconds = time.monotonic() - self._began_at
        told = {"kind": kind, "outcome": outcome, "wrong": list(wrong), "seconds": seconds}
        _write(ended=self._number, **told)


def _write(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
