"""Text files from users: UTF-8 with or without a byte-order mark, with the line endings of any system."""

import codecs
import re
from pathlib import Path

from wire.errors import TextError

_LINE_END = re.compile(r"\r\n|\r|\n")
_MARKS = (  # the little-endian mark of UTF-32 begins with that of UTF-16, so it comes first
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_PACKED = (
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file without line endings; line n is item n - 1.

    Byte-order marks are dropped, including those inside a file that was concatenated from several.

    Raises:
        TextError: The file is not UTF-8, or is binary; the message names file, line and remedy.
        OSError: The file cannot be read.
    """
    data = path.read_bytes()
    _refuse_other_encodings(path, data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = len(_LINE_END.findall(data[: error.start].decode("utf-8"))) + 1
        raise TextError(
            f"{path}:{line}: byte 0x{data[error.start]:02X} is not UTF-8; the file looks like Latin-1 or Windows-1252. "
            f"{_remedy(path, 'WINDOWS-1252')}"
        ) from error
    lines = _LINE_END.split(text.replace("\ufeff", ""))
    return lines[:-1] if not lines[-1] else lines


def _refuse_other_encodings(path: Path, data: bytes) -> None:
    for mark, name in _MARKS:
        if data.startswith(mark):
            raise TextError(f"{path}:1: the file is {name}, not UTF-8. {_remedy(path, name)}")
    for mark, name in _PACKED:
        if data.startswith(mark):
            raise TextError(f"{path}:1: the file is {name}, not text. Unpack it, or save it as text (CSV) in UTF-8")
    if (zero := data.find(b"\0")) < 0:
        return
    if guess := _unmarked(data):
        raise TextError(f"{path}:1: the file looks like {guess}, not UTF-8. {_remedy(path, guess)}")
    line = len(re.findall(rb"\r\n|\r|\n", data[:zero])) + 1
    raise TextError(f"{path}:{line}: the file is binary, not text (it contains zero bytes)")


def _unmarked(data: bytes) -> str:
    """Recognise UTF-16 without a mark: of most pairs, which are ASCII, one byte is zero, and the other is never."""
    head = data[:1000]
    for first, name in ((0, "UTF-16BE"), (1, "UTF-16LE")):
        pairs = len(head) // 2
        if pairs and 2 * head[first::2].count(0) > pairs and all(head[1 - first :: 2]):
            return name
    return ""


def _remedy(path: Path, encoding: str) -> str:
    return f"Save it as UTF-8, or convert it: iconv -f {encoding} -t UTF-8 '{path}' > new.txt"
