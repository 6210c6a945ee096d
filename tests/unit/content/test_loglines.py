"""Lines from streams of bytes, and the cap on how many bytes of a stream are kept."""

from flowkit.content.loglines import MAX_LINE, LineSplitter, LogLimit, StreamCapture


def split(*chunks: bytes) -> list[str]:
    splitter = LineSplitter()
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.close()


def test_lines_come_when_they_are_whole():
    splitter = LineSplitter()

    assert splitter.feed(b"one\ntw") == ["one"]
    assert splitter.feed(b"") == []
    assert splitter.feed(b"o\n\nthree") == ["two", ""]
    assert splitter.close() == ["three"]
    assert splitter.close() == []


def test_carriage_returns_belong_to_the_line_end():
    assert split(b"one\r\ntwo\r", b"\nthree") == ["one", "two", "three"]
    assert split(b"10%\r20%\n") == ["10%\r20%"]


def test_characters_may_be_torn_and_bytes_may_be_none():
    word = "grün ✓ 🎉".encode()

    assert split(*(word[at : at + 1] for at in range(len(word)))) == ["grün ✓ 🎉"]
    assert split(b"a\xffb\n\xc3") == ["a�b", "�"]


def test_long_lines_are_broken_between_characters():
    assert [len(line) for line in split(b"x" * (2 * MAX_LINE + 5) + b"\n")] == [
        MAX_LINE,
        MAX_LINE,
        5,
    ]
    lines = split(b"x" + "🎉".encode() * MAX_LINE + b"\n")
    assert "".join(lines) == "x" + "🎉" * MAX_LINE
    assert all(len(line.encode()) <= MAX_LINE for line in lines)


def test_a_line_of_the_greatest_length_is_not_broken():
    assert split(b"x" * MAX_LINE, b"\r", b"\n") == ["x" * MAX_LINE]


def test_a_stream_without_line_ends_does_not_fill_memory():
    splitter = LineSplitter()

    lines = [line for _ in range(100) for line in splitter.feed(b"\x80" * 10_000)]

    assert len(lines) == 100 * 10_000 // MAX_LINE
    assert len(splitter._partial) <= MAX_LINE + 1


def test_a_stream_within_the_limit_passes_unchanged():
    limit = LogLimit(10)

    assert [limit.feed(b"12345"), limit.feed(b"67890"), limit.close()] == [b"12345", b"67890", b""]


def test_a_stream_beyond_the_limit_is_cut_and_says_so_once():
    limit = LogLimit(8)

    assert limit.feed(b"12345") == b"12345"
    assert limit.feed(b"67890") == (
        b"678\n[flowkit] the log is truncated here: it has more than 8 bytes\n"
    )
    assert limit.feed(b"more") == b""
    assert limit.close() == b"[flowkit] 6 bytes of log were dropped\n"
    assert limit.close() == b""


def test_the_notice_begins_on_a_line_of_its_own():
    at_line_end = LogLimit(4)
    assert at_line_end.feed(b"123\n") == b"123\n"
    assert at_line_end.feed(b"x").startswith(b"[flowkit] the log is truncated")
    assert LogLimit(0).feed(b"x").startswith(b"[flowkit] the log is truncated")


def test_console_and_file_get_the_same_part_of_a_stream():
    capture = StreamCapture(9)

    first, second, last = capture.feed(b"one\nt"), capture.feed(b"wo\nthree\n"), capture.close()

    assert first == (["one"], b"one\nt")
    notice = "[flowkit] the log is truncated here: it has more than 9 bytes"
    assert second == (["two", "t", notice], f"wo\nt\n{notice}\n".encode())
    dropped = "[flowkit] 5 bytes of log were dropped"
    assert last == ([dropped], f"{dropped}\n".encode())
