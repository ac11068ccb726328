"""README.md and the pages of docs/ as tests read them: their blocks of code, their commands, their links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "guides").glob("*.md")))

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code on a page; `line` is that of its first line."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def commands(self) -> tuple["Command", ...]:
        """Return its commands, one a line; none when it is no shell's."""
        if self.language != "sh":
            return ()
        lines = enumerate(self.text.splitlines(), self.line)
        return tuple(Command(self.page, at, text) for at, text in lines if text.strip())


@dataclass(frozen=True, slots=True)
class Command:
    """One line for a shell on a page."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}: {self.text}"

    @property
    def words(self) -> str:
        """Return it without its comment."""
        return re.sub(r"\s+#.*", "", self.text).strip()


def blocks(page: Path) -> tuple[Block, ...]:
    """Return the blocks of code of a page in their order."""
    text = page.read_text(encoding="utf-8")
    return tuple(
        Block(page, text.count("\n", 0, found.start(2)) + 1, found[1], found[2]) for found in _BLOCK.finditer(text)
    )


def commands() -> tuple[Command, ...]:
    """Return every command of every page."""
    return tuple(command for page in PAGES for block in blocks(page) for command in block.commands)


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield file and anchor of every link of a page to something in this repository; no anchor is empty."""
    for target in _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
