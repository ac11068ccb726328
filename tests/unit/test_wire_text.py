"""Text files from other systems: read, or refused with file, line, what was found and how to convert it."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from wire.errors import TextError
from wire.text import read_lines


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"a\nb\n", ["a", "b"], id="Unix"),
        pytest.param(b"a\nb", ["a", "b"], id="no end in the last line"),
        pytest.param(b"a\r\nb\r\n", ["a", "b"], id="Windows"),
        pytest.param(b"a\rb\r", ["a", "b"], id="old Mac"),
        pytest.param(b"a\r\nb\nc\rd", ["a", "b", "c", "d"], id="mixed"),
        pytest.param(b"\n\na", ["", "", "a"], id="blank lines keep their numbers"),
        pytest.param(b"\xef\xbb\xbfa\n", ["a"], id="byte-order mark"),
        pytest.param(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "b"], id="two marked files joined"),
        pytest.param("é\u2028ü\x0cx\n".encode(), ["é\u2028ü\x0cx"], id="what ends no line"),
    ],
)
def test_lines_of_any_system_are_read(data: bytes, lines: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    assert read_lines(tmp_path / "a.txt") == lines


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param("1,1\n".encode("utf-16"), r"a\.txt:1: the file is UTF-16.*iconv -f UTF-16 -t UTF-8", id="UTF-16"),
        pytest.param(b"\xfe\xff" + "1\n".encode("utf-16-be"), r"a\.txt:1: the file is UTF-16", id="UTF-16, big end"),
        pytest.param("1,1\n".encode("utf-32"), r"a\.txt:1: the file is UTF-32.*iconv -f UTF-32", id="UTF-32"),
        pytest.param("1,1\n".encode("utf-16-le"), r"a\.txt:1: the file looks like UTF-16LE", id="UTF-16, no mark"),
        pytest.param("1,1\n".encode("utf-16-be"), r"a\.txt:1: the file looks like UTF-16BE", id="big end, no mark"),
        pytest.param(
            "# 王 türen\n1,1\n".encode("utf-16-le"), r"a\.txt:1: the file looks like UTF-16LE", id="not ASCII"
        ),
        pytest.param(gzip.compress(b"1,1\n"), r"a\.txt:1: the file is compressed by gzip, not text. Unpack", id="gzip"),
        pytest.param(bz2.compress(b"1,1\n"), r"a\.txt:1: the file is compressed by bzip2, not text", id="bzip2"),
        pytest.param(lzma.compress(b"1,1\n"), r"a\.txt:1: the file is compressed by xz, not text", id="xz"),
        pytest.param(b"PK\x03\x04\x14", r"a\.txt:1: the file is a ZIP archive or a spreadsheet, not text", id="zip"),
        pytest.param("# türen\n1\n".encode("latin-1"), r"a\.txt:1: byte 0xFC.*Latin-1.*WINDOWS-1252", id="Latin-1"),
        pytest.param("1\r\n2\r\n# é".encode("cp1252"), r"a\.txt:3: byte 0xE9", id="Windows-1252 in line 3"),
        pytest.param(b"1\n2\0\0\0\n", r"a\.txt:2: the file is binary", id="binary"),
    ],
)
def test_another_encoding_is_refused_with_line_and_remedy(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(TextError, match=said):
        read_lines(tmp_path / "a.txt")
