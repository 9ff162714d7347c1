"""Lines out of the pieces in which a network delivers them: pure."""

LONGEST_LINE_BYTES = 8 << 20  #: an object is at most a few MiB; the store of a cluster takes 1.5


class LineTooLongError(ValueError):
    """A line grew beyond what any object needs."""


class Lines:
    """Puts lines together."""

    def __init__(self, longest_bytes: int = LONGEST_LINE_BYTES) -> None:
        """`longest_bytes` counts a line without its end."""
        self._longest_bytes = longest_bytes
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that this piece completes, without their ends and without empty ones.

        Raises: LineTooLongError.
        """
        *ended, rest = piece.split(b"\n")
        found: list[bytes] = []
        for part in ended:
            self._grow(part)
            found.append(bytes(self._rest))
            self._rest.clear()
        self._grow(rest)
        return [line for line in found if line.strip()]

    def _grow(self, part: bytes) -> None:
        if len(self._rest) + len(part) > self._longest_bytes:
            raise LineTooLongError(f"longer than {self._longest_bytes} bytes")
        self._rest += part
