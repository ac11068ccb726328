"""Frames in the JSON of NVIDIA's `nvschema`: `nv.Frame` of schema.proto 4.0, as Metropolis and VSS read it. Pure.

An object is a person; where they have no number yet, its id is the track. Boxes are pixels of the upright picture.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gallery.iso import iso
from wire.messages import SeenPeople

VERSION = "4.0"
Known = Mapping[str, tuple[int, float]]  # by tracklet: number of the person, and the probability of the match


def frames_of(seen: SeenPeople, known: Known) -> Iterator[bytes]:
    """Yield one message for each analysed frame with people, in order of time."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for row, time_ns in enumerate(seen.times_ns.tolist()):
        rows.setdefault(time_ns, []).append(_object(seen, row, known))
    for time_ns, objects in rows.items():
        frame = {
            "version": VERSION,
            "id": str(time_ns),
            "timestamp": iso(time_ns),
            "sensorId": seen.camera_id,
            "objects": objects,
            "info": {"siteId": seen.site_id, "width": str(seen.width), "height": str(seen.height)},
        }
        yield msgspec.json.encode(frame)


def _object(seen: SeenPeople, row: int, known: Known) -> dict[str, Any]:
    left, top, right, bottom = (round(float(edge), 1) for edge in seen.boxes[row])
    tracklet_id = seen.tracklet_ids[int(seen.which[row])]
    info = {"tracklet": tracklet_id}
    number = ""
    if tracklet_id in known:
        identity, probability = known[tracklet_id]
        number = str(identity)
        info |= {"identity": number, "probability": f"{probability:.4f}"}
    return {
        "id": number or tracklet_id,
        "bbox": {"leftX": left, "topY": top, "rightX": right, "bottomY": bottom},
        "type": "Person",
        "confidence": round(seen.scores[row], 4) if seen.scores else 1.0,
        "info": info,
    }
