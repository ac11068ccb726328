"""Write what an environment consists of as CycloneDX 1.6: distributions, the libraries inside of wheels, and weights.

Run by the Python of the environment. Licences of distributions are what their metadata says; those of bundled libraries
are listed here, since nothing in a wheel names them, and they decide what whoever passes an image on has to do.
"""

import argparse
import hashlib
import json
import re
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

GPL2, LGPL2, LGPL3 = "GPL-2.0-or-later", "LGPL-2.1-or-later", "LGPL-3.0-or-later"
# By the beginning of a library's name. FFmpeg built with x264 and x265, as in PyAV's wheels, is GPL as a whole.
BUNDLED = {
    **dict.fromkeys(("x264", "x265"), GPL2),
    **dict.fromkeys(("avcodec", "avdevice", "avfilter", "avformat", "avutil", "swresample", "swscale"), LGPL2),
    **dict.fromkeys(("gmp", "hogweed", "nettle", "unistring"), LGPL3),
    **dict.fromkeys(("gnutls", "asound", "mp3lame"), LGPL2),
    **dict.fromkeys(("gfortran", "gomp", "quadmath"), "GPL-3.0-or-later WITH GCC-exception-3.1"),
    **dict.fromkeys(("dav1d", "aom"), "BSD-2-Clause"),
    **dict.fromkeys(("opus", "vpx", "webp", "sharpyuv", "SvtAv1Enc", "openblas", "scipy_openblas"), "BSD-3-Clause"),
    **dict.fromkeys(("xcb", "Xau", "drm", "vpl"), "MIT"),
    **dict.fromkeys(("opencore",), "Apache-2.0"),
}
GPL_WHERE_BESIDE = "x264"
OF_FFMPEG = ("avcodec", "avdevice", "avfilter", "avformat", "avutil", "swresample", "swscale")
WEIGHTS = (".safetensors", ".onnx")


def sbom(name: str, site: Path) -> dict[str, Any]:
    """Return the CycloneDX document of the environment whose packages are in `site`."""
    found = distributions(path=[str(site)])
    components = [*map(_distribution, found), *_bundled(site), *_weights(site)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name}},
        "components": sorted(components, key=lambda one: (one["type"], one["name"].lower())),
    }


def _distribution(found: Distribution) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
    purl = f"pkg:pypi/{name}@{found.version}"
    return {
        "type": "library",
        "name": name,
        "version": found.version,
        "purl": purl,
        "bom-ref": purl,
        **_licensed(_licence_of(found)),
    }


def _licence_of(found: Distribution) -> str:
    """Return what the metadata of a distribution says about its licence, shortest form first."""
    metadata: Any = found.metadata  # a message, which its type does not say
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classified = [
        value.rpartition(":: ")[2] for value in metadata.get_all("Classifier", []) if value.startswith("License ::")
    ]
    text = str(metadata.get("License") or "")
    return " and ".join(classified) or text.strip().partition("\n")[0][:80] or "not stated"


def _bundled(site: Path) -> Iterator[dict[str, Any]]:
    """Yield the shared libraries that wheels bring in a folder NAME.libs."""
    for folder in sorted(site.glob("*.libs")):
        names = [path.name for path in sorted(folder.iterdir())]
        gpl = any(_stem(name).startswith(GPL_WHERE_BESIDE) for name in names)
        for name in names:
            stem = _stem(name)
            licence = GPL2 if gpl and stem in OF_FFMPEG else _bundled_licence(stem)
            version = name.partition(".so.")[2] or "not stated"
            yield {
                "type": "library",
                "name": f"lib{stem}",
                "version": version,
                "bom-ref": f"{folder.name}/{name}",
                "description": f"inside of the wheel {folder.name.removesuffix('.libs')}",
                **_licensed(licence),
            }


def _stem(name: str) -> str:
    """Return `x264` of `libx264-d6533a8d.so.165`."""
    return re.sub(r"(-r0)?(-[0-9a-f]{8})+.*|\.so.*", "", name.removeprefix("lib"))


def _bundled_licence(stem: str) -> str:
    return next((licence for start, licence in BUNDLED.items() if stem.startswith(start)), "not stated")


def _weights(site: Path) -> Iterator[dict[str, Any]]:
    """Yield the files of weights that climbtrack ships."""
    for path in sorted((site / "reid_worker" / "weights").glob("*")):
        if path.suffix in WEIGHTS:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield {
                "type": "machine-learning-model",
                "name": path.name,
                "version": digest[:12],
                "bom-ref": f"weights/{path.name}",
                "hashes": [{"alg": "SHA-256", "content": digest}],
                **_licensed("MIT"),
            }


def _licensed(licence: str) -> dict[str, Any]:
    return {"licenses": [{"license": {"name": licence}}]}


def main(arguments: Iterable[str] | None = None) -> None:
    """Write the document of the environment of this Python."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--name", required=True, help="of the image")
    parser.add_argument("--out", required=True, type=Path, help="the file to write")
    given = parser.parse_args(None if arguments is None else list(arguments))
    document = sbom(given.name, Path(sysconfig.get_paths()["purelib"]))
    given.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
