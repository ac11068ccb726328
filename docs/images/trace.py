"""Draw one person's trace from real spans: `python -m docs.images.trace SITE`; `climbtrack synth site` writes a SITE.

Runs the distributed form on this machine (`climbtrack cluster up`) with every chunk traced, and collects the spans. The
picture is of the chunk that led to somebody new in the shortest time.
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from tests.servers.collector import Collector, Span

FILE = Path(__file__).parent / "trace.png"
WAIT_S = 300
SETTLE_S = 20
ENOUGH = 3  # people
COLOURS = {"ingest": "#2a78d6", "reid_worker": "#1baf7a", "gallery": "#eda100"}
PALE, INK = "#6b7885", "#1c2733"
WHAT = {
    "send frames": "ingest: capture of the first frame, until the chunk is sent",
    "receive frames": "Kafka: the chunk waits for a worker",
    "send tracklets": "worker: decodes, detects, tracks, embeds",
    "receive tracklets": "Kafka: the tracklet waits for the gallery",
    "send identities": "gallery: waits for the window, decides",
}


def main(site: Path) -> None:
    """Run a site in real time, and draw a trace."""
    with tempfile.TemporaryDirectory() as name, Collector() as collector:
        folder = Path(name)
        films = sorted(site.glob("*.mp4"))
        cameras = [f"  {film.stem}: {{url: {film.resolve()}, realtime: true, mode: latency}}" for film in films]
        tracing = f"tracing: {{sample_ratio: 1.0, endpoint: '{collector.url}'}}"
        worker = "worker: {detector: bundled}"
        (folder / "site.yaml").write_text("\n".join(["cameras:", *cameras, worker, tracing, ""]))
        command = [sys.executable, "-m", "deploy.cli", "cluster", "up", "--config", str(folder / "site.yaml")]
        options = ["--data-dir", str(folder / "data"), "--workers", "1", "--kafka-port", "0", "--no-prometheus"]
        with subprocess.Popen([*command, *options]) as process:
            try:
                _wait_for_people(collector)
            finally:
                process.send_signal(signal.SIGINT)
        lines = complete(collector.spans)
    draw(min(lines, key=lambda line: line[-1].end_ns - line[0].start_ns))


def _wait_for_people(collector: Collector) -> None:
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s and len(complete(list(collector.spans))) < ENOUGH:
        time.sleep(1)
    time.sleep(SETTLE_S)


def complete(spans: Iterable[Span]) -> list[list[Span]]:
    """Return the lines of spans that lead from a chunk to an event, each in order."""
    found = []
    traces: dict[str, dict[str, Span]] = defaultdict(dict)
    for span in spans:
        traces[span.trace][span.span] = span
    for by_id in traces.values():
        for last in [one for one in by_id.values() if one.name == "send identities"]:
            line = [last]
            while line[0].parent in by_id:
                line.insert(0, by_id[line[0].parent])
            if [one.name for one in line] == list(WHAT):
                found.append(line)
    return found


def draw(line: Sequence[Span]) -> None:
    """Draw a line of spans as bars over milliseconds."""
    begun_ns = line[0].start_ns
    figure = Figure(figsize=(10, 3.4), dpi=150)
    axes = figure.add_axes((0.02, 0.16, 0.96, 0.7))
    whole_ms = (line[-1].end_ns - begun_ns) / 1e6
    for row, span in enumerate(line):
        start_ms, length_ms = (span.start_ns - begun_ns) / 1e6, (span.end_ns - span.start_ns) / 1e6
        waits = span.name.startswith("receive")
        axes.barh(row, max(length_ms, whole_ms / 400), left=start_ms, color=COLOURS[span.service], height=0.42,
                  alpha=0.35 if waits else 1.0)  # fmt: skip
        axes.text(0, row - 0.34, f"{WHAT[span.name]}: {length_ms:.0f} ms", color=INK, fontsize=9, va="center")
    axes.set_ylim(len(line) - 0.4, -0.7)
    axes.set_yticks([])
    axes.set_xlabel("ms since the capture of the chunk's first frame", color=PALE)
    axes.tick_params(colors=PALE)
    for side in ("left", "top", "right"):
        axes.spines[side].set_visible(False)
    camera = line[0].attributes["climbtrack.camera"]
    figure.text(0.02, 0.93, f"Trace {line[0].trace}, camera {camera}: {whole_ms:.0f} ms", color=INK, fontsize=11)
    figure.savefig(FILE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
