"""Find the MOTChallenge file of each camera in common folder layouts, and pair truth with results.

DIR/CAMERA.txt, DIR/CAMERA.csv   what `climbtrack run --out` writes
DIR/CAMERA/gt/gt.txt             MOTChallenge's ground truth
DIR/gt/gt.txt                    a single MOTChallenge sequence
DIR/CAMERA/NAME.txt              one folder per camera
DIR/data/CAMERA.txt              a tracker's results in TrackEval's layout
FILE                             one camera, with any name
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gallery.errors import ScoreError

_TEXT = (".txt", ".csv")
_VIDEO = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".ts", ".264", ".h264", ".mpg", ".mjpeg")
_GROUND_TRUTH = Path("gt") / "gt.txt"


@dataclass(frozen=True, slots=True)
class SequenceFiles:
    """The files of one side.

    Attributes:
        given: The path that the user gave.
        files: By name of the camera.
        alone: Whether it is a single file or sequence, whose name need not match the other side's.
    """

    given: Path
    files: Mapping[str, Path]
    alone: bool = False


def find_sequences(given: Path, *, may_be_empty: bool = False) -> SequenceFiles:
    """Return the MOTChallenge files of a folder, or the given file itself.

    Args:
        given: Folder or file.
        may_be_empty: Whether an empty folder is accepted, as the results of a tracker that found nobody.

    Raises:
        ScoreError: The path does not exist, has no text file, or has two for one camera.
    """
    if given.is_file():
        return SequenceFiles(given, {given.stem: given}, alone=True)
    if not given.is_dir():
        raise ScoreError(f"{given} does not exist" if not given.exists() else f"{given} is not a folder")
    if (one := _one_sequence(given.resolve())) is not None:
        return SequenceFiles(given, {one[0]: one[1]}, alone=True)
    files = _unique(given, _in_folder(given))
    if not files and not (may_be_empty and not any(given.iterdir())):
        raise ScoreError(f"{given} holds no tracks: CAMERA.txt or CAMERA/gt/gt.txt is expected{_deeper(given)}")
    return SequenceFiles(given, files)


def paired(
    truth: SequenceFiles, results: SequenceFiles, report: Callable[[str], None]
) -> dict[str, tuple[Path, Path | None]]:
    """Return truth and results of each camera that has a truth; the results are None if there are none.

    Names that differ only in case, in a video file extension, or in how a system writes an umlaut are the same. Two
    single files always belong together; a single file and a folder are compared for the camera of that name only.

    Raises:
        ScoreError: There are results without truth.
    """
    if (truth.alone or results.alone) and len(truth.files) == len(results.files) == 1:
        (name, true), (found,) = next(iter(truth.files.items())), results.files.values()
        return {name: (true, found)}
    names = _same_names(truth.files, results.files)
    if names and (truth.alone or results.alone):
        (found_name, name) = next(iter(names.items()))
        report(f"only {name} is scored, since {(truth if truth.alone else results).given} covers no other camera")
        return {name: (truth.files[name], results.files[found_name])}
    if unknown := [file for name, file in results.files.items() if name not in names]:
        raise ScoreError(
            f"{results.given}: there is no truth for {_listing(file.name for file in unknown)}, only for "
            f"{_listing(truth.files)}. Use the same names on both sides, or move away files that should not be scored"
        )
    result_of = {true: results.files[found] for found, true in names.items()}
    if missing := [name for name in truth.files if name not in result_of]:
        report(f"{results.given}: no results for {_listing(missing)}; everyone there counts as missed")
    return {name: (file, result_of.get(name)) for name, file in truth.files.items()}


def _one_sequence(folder: Path) -> tuple[str, Path] | None:
    """Return name and file if a folder is a single MOTChallenge sequence, or the `gt` folder of one."""
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
    """Return the text files of a folder, sorted by name; `._a.txt` is macOS metadata."""
    return [
        (path.stem, path)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _TEXT and path.is_file() and not path.name.startswith(".")
    ]


def _unique(folder: Path, found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name, path in found:
        if name in files:
            raise ScoreError(f"{folder}: {files[name].name} and {path.name} are both for {name}: keep one of them")
        files[name] = path
    return files


def _same_names(truth: Iterable[str], results: Iterable[str]) -> dict[str, str]:
    """Map the names in the results to names in the truth, preferring exact matches.

    Raises:
        ScoreError: Two results are for one camera.
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
            raise ScoreError(f"{taken[matching[0]]} and {name} are both results for {matching[0]}: keep one of them")
        taken[matching[0]] = name
        names[name] = matching[0]
    return names


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFC", name).casefold()
    return next((folded.removesuffix(ending) for ending in _VIDEO if folded.endswith(ending)), folded)


def _deeper(folder: Path) -> str:
    """Return a hint about the subfolder that was probably meant, or about what the folder holds."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    meant = next((path for path in inside if _in_folder(path)), None)
    if meant is not None:
        return f"; there are some in the subfolder {meant}"
    return f"; it holds {_listing(path.name for path in sorted(folder.iterdir()))}" if any(folder.iterdir()) else ""


def _listing(names: Iterable[str]) -> str:
    named = list(names)
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
