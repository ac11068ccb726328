"""Which file is which camera's: MOTChallenge text in the folders people have, and truth paired with results.

DIR/CAMERA.txt, DIR/CAMERA.csv   what `climbtrack run --out` writes
DIR/CAMERA/gt/gt.txt             MOTChallenge's ground truth
DIR/gt/gt.txt                    one sequence of it
DIR/CAMERA/NAME.txt              a folder a camera
DIR/data/CAMERA.txt              a tracker's results as TrackEval wants them
FILE                             one camera, whatever it is called
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gallery.errors import ScoreError

_TEXT = (".txt", ".csv")
_VIDEO = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".ts", ".264", ".h264", ".mpg", ".mjpeg")
_GROUND_TRUTH = Path("gt") / "gt.txt"


@dataclass(frozen=True, slots=True)
class Found:
    """The files of one side.

    Attributes:
        given: What the user named.
        files: By the camera's name.
        alone: It is one file or one sequence, so its name need not be the other side's.
    """

    given: Path
    files: Mapping[str, Path]
    alone: bool = False


def find_sequences(given: Path, *, may_be_empty: bool = False) -> Found:
    """Return the MOTChallenge files of a folder, or the one file that is given.

    Args:
        given: Folder or file.
        may_be_empty: Whether an empty folder is one without files; it holds the results of whoever found nobody.

    Raises:
        ScoreError: There is no such folder, no text file in it, or two are of one camera.
    """
    if given.is_file():
        return Found(given, {given.stem: given}, alone=True)
    if not given.is_dir():
        raise ScoreError(f"{given} does not exist" if not given.exists() else f"{given} is not a folder")
    if (one := _one_sequence(given.resolve())) is not None:
        return Found(given, {one[0]: one[1]}, alone=True)
    files = _unique(given, _in_folder(given))
    if not files and not (may_be_empty and not any(given.iterdir())):
        raise ScoreError(f"{given} holds no tracks: CAMERA.txt or CAMERA/gt/gt.txt is expected{_deeper(given)}")
    return Found(given, files)


def paired(truth: Found, results: Found, say: Callable[[str], None]) -> dict[str, tuple[Path, Path | None]]:
    """Return truth and results of every camera with a truth; None where a camera has no results.

    Names that differ in case or by a video's ending only are the same. Where one side is a single file, two files
    belong together, and of a folder only the file of the same name counts.

    Raises:
        ScoreError: There are results without truth.
    """
    if (truth.alone or results.alone) and len(truth.files) == len(results.files) == 1:
        (name, true), (found,) = next(iter(truth.files.items())), results.files.values()
        return {name: (true, found)}
    names = _same_names(truth.files, results.files)
    if names and (truth.alone or results.alone):
        (found_name, name) = next(iter(names.items()))
        say(f"only {name} is scored, as {(truth if truth.alone else results).given} is about nothing else")
        return {name: (truth.files[name], results.files[found_name])}
    if unknown := [file for name, file in results.files.items() if name not in names]:
        raise ScoreError(
            f"{results.given}: there is no truth about {_listing(file.name for file in unknown)}; there is about "
            f"{_listing(truth.files)}. Give both the same names, or move away what is not to be scored"
        )
    result_of = {true: results.files[found] for found, true in names.items()}
    if missing := [name for name in truth.files if name not in result_of]:
        say(f"{results.given}: no results of {_listing(missing)}; everybody there counts as missed")
    return {name: (file, result_of.get(name)) for name, file in truth.files.items()}


def _one_sequence(folder: Path) -> tuple[str, Path] | None:
    """Return name and file of a folder that is a single MOTChallenge sequence, or its `gt`."""
    if (folder / _GROUND_TRUTH).is_file():
        return folder.name, folder / _GROUND_TRUTH
    if folder.name == _GROUND_TRUTH.parent.name and [path.name for _, path in _text_files(folder)] == ["gt.txt"]:
        return folder.parent.name, folder / "gt.txt"
    return None


def _in_folder(folder: Path) -> list[tuple[str, Path]]:
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = _text_files(folder) + [
        (path.name, path / _GROUND_TRUTH) for path in inside if (path / _GROUND_TRUTH).is_file()
    ]
    if found:
        return found
    if (folder / "data").is_dir() and (of_tracker := _text_files(folder / "data")):
        return of_tracker
    alone = [(path.name, _text_files(path)) for path in inside]
    return [(name, files[0][1]) for name, files in alone if len(files) == 1]


def _text_files(folder: Path) -> list[tuple[str, Path]]:
    """Return the text files of a folder by name; `._a.txt` is what macOS leaves on a disk."""
    return [
        (path.stem, path)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _TEXT and path.is_file() and not path.name.startswith(".")
    ]


def _unique(folder: Path, found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name, path in found:
        if name in files:
            raise ScoreError(f"{folder}: {files[name].name} and {path.name} are both about {name}: keep one of them")
        files[name] = path
    return files


def _same_names(truth: Iterable[str], results: Iterable[str]) -> dict[str, str]:
    """Return the name in the truth of each name in the results, equal names first.

    Raises:
        ScoreError: Two results are of one camera.
    """
    exact = set(truth) & set(results)
    rest: dict[str, list[str]] = defaultdict(list)
    for name in truth:
        if name not in exact:
            rest[_plain(name)].append(name)
    names = {name: name for name in exact}
    taken: dict[str, str] = {}
    for name in results:
        if name in exact or len(matching := rest.get(_plain(name), [])) != 1:
            continue
        if matching[0] in taken:
            raise ScoreError(f"{taken[matching[0]]} and {name} are both results of {matching[0]}: keep one of them")
        taken[matching[0]] = name
        names[name] = matching[0]
    return names


def _plain(name: str) -> str:
    folded = name.casefold()
    return next((folded.removesuffix(ending) for ending in _VIDEO if folded.endswith(ending)), folded)


def _deeper(folder: Path) -> str:
    """Return the folder inside that was probably meant."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    meant = next((path for path in inside if _in_folder(path)), None)
    if meant is not None:
        return f"; there are some one folder deeper, in {meant}"
    return f"; it holds {_listing(path.name for path in sorted(folder.iterdir()))}" if any(folder.iterdir()) else ""


def _listing(names: Iterable[str]) -> str:
    named = list(names)
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
