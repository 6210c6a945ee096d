"""From the bytes of a stream to lines for people: splitting, decoding, and a cap on the amount."""

MAX_LINE = 64 * 1024
"""Bytes after which a line is broken: a task that prints no line ends must not fill memory."""
_CONTINUATION = 0x80
"""The upper two bits of a byte that continues a UTF-8 character."""


class LineSplitter:
    r"""Turns the chunks of one stream of one attempt into whole decoded lines.

    Lines end with ``\n`` or ``\r\n`` and come without it. Bytes that are no UTF-8 are replaced.
    A line longer than `MAX_LINE` bytes is broken, never inside a character.
    """

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that these bytes complete."""
        first, *others = data.split(b"\n")
        self._partial += first
        lines = []
        for other in others:
            lines += _pieces(self._partial.removesuffix(b"\r"))
            self._partial = bytearray(other)
        # What stays may be longer by one byte: the \r of a line end is none of the line's.
        *pieces, last = _broken(self._partial, MAX_LINE + 1)
        self._partial = bytearray(last)
        return lines + [piece.decode(errors="replace") for piece in pieces]

    def close(self) -> list[str]:
        """Return what is left when the stream has ended without a line end."""
        partial, self._partial = self._partial, bytearray()
        return _pieces(partial) if partial else []


class LogLimit:
    """Lets so many bytes of one stream of an attempt through, then only says how many it dropped.

    Args:
        max_bytes: How many bytes pass, not counting the notices.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes
        self._dropped = 0
        self._last = b"\n"

    def feed(self, data: bytes) -> bytes:
        """Return the part of the bytes that passes, and a notice where the limit is reached."""
        passed = data[: self._left]
        self._left -= len(passed)
        self._last = passed[-1:] or self._last
        is_first = self._dropped == 0
        self._dropped += len(data) - len(passed)
        if self._dropped == 0 or not is_first:
            return passed
        line_end = b"" if self._last == b"\n" else b"\n"
        notice = f"[flowkit] the log is truncated here: it has more than {self._max_bytes} bytes\n"
        return passed + line_end + notice.encode()

    def close(self) -> bytes:
        """Return a notice with the number of dropped bytes; nothing when all have passed."""
        dropped, self._dropped = self._dropped, 0
        return f"[flowkit] {dropped} bytes of log were dropped\n".encode() if dropped else b""


class StreamCapture:
    """One stream of one attempt, on its way to the console and to the run's log file.

    Args:
        max_bytes: How many bytes of the stream are kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._limit = LogLimit(max_bytes)
        self._splitter = LineSplitter()

    def feed(self, data: bytes) -> tuple[list[str], bytes]:
        """Take a chunk; return whole lines for the console and bytes for the file."""
        kept = self._limit.feed(data)
        return self._splitter.feed(kept), kept

    def close(self) -> tuple[list[str], bytes]:
        """Return the last lines and bytes when the stream has ended."""
        kept = self._limit.close()
        return self._splitter.feed(kept) + self._splitter.close(), kept


def _pieces(line: bytes | bytearray) -> list[str]:
    return [piece.decode(errors="replace") for piece in _broken(line, MAX_LINE)]


def _broken(line: bytes | bytearray, longest: int) -> list[bytes]:
    """Break a line, each time before a byte that begins a character, until the rest is no longer.

    Every piece but the last has `MAX_LINE` bytes, or up to three less.
    """
    pieces = []
    start = 0
    while len(line) - start > longest:
        limit = start + MAX_LINE
        begins = (at for at in range(limit, limit - 4, -1) if line[at] & 0xC0 != _CONTINUATION)
        end = next(begins, limit)
        pieces.append(bytes(line[start:end]))
        start = end
    return [*pieces, bytes(line[start:])]
