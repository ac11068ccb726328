"""A camera stream: its decoder, tracker and open tracklets. Knows nothing about topics, the network or clocks."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from reid_worker import attention, crops, tracklet
from reid_worker.attention import DetailState
from reid_worker.crops import Crop, Cutout
from reid_worker.decode import DecoderState, Frame, StreamDecoder
from reid_worker.decode_device import DecoderOpener
from reid_worker.detectors.detection import Detections
from reid_worker.detectors.tiles import Grid
from reid_worker.errors import StateError
from reid_worker.motion import MotionGate
from reid_worker.seen import Seen
from reid_worker.stream_state import Counts, StreamInfo, StreamState, decoded, encoded
from reid_worker.trackers.choose import new_tracker
from reid_worker.trackers.interface import Describer, Tracker, TrackerOptions, View
from reid_worker.tracklet import FrameFacts, OpenTracklet, Pick, Row, TrackletOptions
from wire import trace
from wire.messages import CameraProgress, FrameChunk, ObservedTracklet, SeenPeople, Tracklet
from wire.tracklet_id import TrackletId


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Options for the analysis of one stream; `motion_gate` is explained in `reid_worker.motion`."""

    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    tracklet: TrackletOptions = field(default_factory=TrackletOptions)
    decoders: DecoderOpener = field(default_factory=DecoderOpener)
    motion_gate: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Emission:
    """A snapshot of a tracklet to publish, and the crops to embed it by.

    Attributes:
        crops: In order of time, at least one.
        embeddings: Embeddings of the same crops from an earlier emission, float16 bytes by model_id.
        storable: Whether the crops may be stored.
    """

    tracklet: ObservedTracklet
    crops: tuple[Crop, ...]
    embeddings: Mapping[str, bytes]
    storable: bool


@dataclass(frozen=True, slots=True)
class TrackedDetection:
    """A detection that was assigned to a track.

    Attributes:
        occlusion: Share of its box covered by boxes in front of it, in [0, 1].
        overlap: Largest IoU with another tracked box, in [0, 1].
    """

    row: Row
    occlusion: float
    overlap: float


class CameraStream:
    """Processes one stream from its first chunk to its last."""

    def __init__(self, info: StreamInfo, options: StreamOptions, decoder: StreamDecoder, tracker: Tracker) -> None:
        self.info = info
        self._options = options
        self._decoder = decoder
        self._tracker = tracker
        self._tracklets: dict[int, OpenTracklet] = {}
        self._counts = Counts()
        self._detail = DetailState()
        self._gate = MotionGate()
        self._found = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        self._seen = Seen()
        self._traceparent = ""

    @classmethod
    def begin(cls, first: FrameChunk, options: StreamOptions) -> "CameraStream":
        """Return a stream positioned before its first chunk."""
        info = StreamInfo.of(first)
        decoder = info.decoder(DecoderState(frames=first.first_index), options.decoders)
        stream = cls(info, options, decoder, new_tracker(options.tracker, info.analysed_fps))
        stream._counts.saved_pts = first.packets[0].pts_ns if first.packets else 0
        stream._counts.earlier = first.first_index - first.dropped_before if first.seq == 0 else 0
        return stream

    @classmethod
    def restored(cls, blob: bytes, options: StreamOptions) -> "CameraStream":
        """Restore a saved stream.

        Raises:
            StateError: The bytes are not a valid state, or the tracker's state has another layout.
        """
        state = decoded(blob)
        info = state.info
        try:
            tracker = new_tracker(options.tracker, info.analysed_fps, state.tracker)
        except (ValueError, LookupError) as error:
            raise StateError(f"saved worker state does not fit this tracker: {error}") from error
        stream = cls(info, options, info.decoder(state.decoder, options.decoders), tracker)
        stream._tracklets, stream._counts, stream._detail = state.tracklets, state.counts, state.detail
        return stream

    def decode(self, chunk: FrameChunk) -> Iterator[Frame]:
        """Yield the frames of the next chunk to analyse; emissions that become due belong to the chunk's trace."""
        self._traceparent = chunk.traceparent
        if chunk.packets:
            attention.next_chunk(self._detail, chunk.packets[0].pts_ns / 1e9)
            self._gate.next_chunk(quiet=self._options.motion_gate and not self._tracker.alive())
        return self._decoder.decode(chunk)

    def pace(self, fps: float, *, keyframes_only: bool = False) -> None:
        """Analyse at most `fps` frames per second from now on, or only keyframes, at most one a second.

        An `fps` of 0 leaves the rate as it was.
        """
        if fps > 0:
            self._decoder.pace(fps)
        self._decoder.keyframes_only = keyframes_only

    def restart_decoder(self, next_index: int) -> Iterator[Frame]:
        """Yield the frames still in the decoder, so that a `save` before that packet is complete."""
        return self._decoder.restart(next_index)

    @property
    def next_index(self) -> int:
        """Index in the source of the first packet that was not taken yet."""
        return self._decoder.next_index

    @property
    def broken(self) -> int:
        """Return the number of packets that the decoder has rejected."""
        return self._decoder.broken

    @property
    def fault(self) -> str:
        """Return what the decoder last said of a packet that it rejected."""
        return self._decoder.fault

    @property
    def static(self) -> int:
        """Return the number of tracks that stayed where they were and did not look like a person for long."""
        return self._counts.static

    def skip(self) -> None:
        """Count a frame that is not analysed because it is too old."""
        self._counts.skipped += 1

    def grid(self, frame: Frame) -> Grid | None:
        """Return the tiles in which the next frame is to be looked at; None if it shows what the last one did."""
        grid = attention.grid_of(self.info.detail, self._detail, *frame.image.shape[:2])
        return grid if self._gate.lets_pass(frame, grid) else None

    def advance(self, frame: Frame, found: Detections | None, describer: Describer | None = None) -> list[Emission]:
        """Track the people found in the next frame; return the emissions that are due.

        A frame captured no later than the previous one cannot be part of a tracklet, and is skipped.

        Args:
            found: None of a frame without a `grid`: the people in the last one that had one.
            describer: For trackers that compare looks; without it, only boxes are compared.
        """
        self._found = found = self._found if found is None else found
        if frame.time_ns <= self._counts.newest_ns:
            self.skip()
            return []
        self._counts.newest_ns = frame.time_ns
        self._counts.analysed += 1
        self._counts.rate.analysed(frame.time_ns)
        height, width = frame.image.shape[:2]
        self._seen.size = (width, height)
        found = attention.within(found, height, width, self.info.regions, self.info.ignore)
        attention.learn(self._detail, found, height, width, self._options.tracklet.strong_score)
        ids = self._tracker.update(found, frame.pts_ns / 1e9, View(frame.image, describer))
        occlusions = tracklet.occlusions(found.boxes)
        tracked = np.flatnonzero(ids >= 0)
        overlaps = tracklet.nearest_overlaps(found.boxes[tracked])
        emissions = []
        for i, overlap in zip(tracked, overlaps, strict=True):
            emissions += self._add_detection(
                int(ids[i]), frame, TrackedDetection(_row(frame, found, i), float(occlusions[i]), float(overlap))
            )
        return emissions + self._close_lost()

    def close(self) -> list[Emission]:
        """Close all tracklets at the end of the stream."""
        return [item for track_id in sorted(self._tracklets) for item in self._close(track_id)]

    def seal(self) -> list[Emission]:
        """Make a `save` hold no picture, where pictures may not leave the worker; return the emissions that are due.

        Tracklets end and go on as their next part, with further crops. Too short ones lose the crops they have.
        """
        if self.info.privacy == "full":
            return []
        self._tracker.forget_pictures()
        emissions = []
        for track_id, current in sorted(self._tracklets.items()):
            if tracklet.is_sent_on_close(current, self._options.tracklet):
                emissions += self._close(track_id)
                self._tracklets[track_id] = tracklet.next_part(current)
            else:
                tracklet.forget_picks(current)
        return emissions

    def take_embeddings(self, embedded: Tracklet) -> None:
        """Remember the embeddings of an emission, unless the tracklet has closed or changed since."""
        named = TrackletId.parse(embedded.tracklet_id)
        current = self._tracklets.get(named.track)
        if current is not None and self._name(named.track, current) == named:
            found = {embedded.model_id: embedded.embedding.tobytes()}
            if embedded.shadow is not None:
                found[embedded.shadow.model_id] = embedded.shadow.embedding.tobytes()
            tracklet.remember_embeddings(current, embedded.revision, found)

    def wanted_fps(self) -> float:
        """Return the rate at which the stream should be analysed: its own, at most that of its camera's settings."""
        return min(self._decoder.source_fps() or self.info.analysed_fps, self.info.analysed_fps)

    def analysed_fps(self) -> float:
        """Return the rate at which the stream was analysed in the last seconds."""
        return self._counts.rate.fps(self._decoder.time_ns)

    def progress(
        self, *, ended: bool = False, reason: str = "", degraded: str = "", round_ns: int = 0
    ) -> CameraProgress:
        """Return the stream's progress."""
        frames = self._decoder.frames - self._counts.earlier
        return CameraProgress(
            camera_id=self.info.camera_id,
            site_id=self.info.site_id,
            stream_id=self.info.stream_id,
            time_ns=self.decided_ns(),
            frames=frames,
            analysed=self._counts.analysed,
            dropped=frames - self._decoder.decoded + self._counts.skipped,
            tracklets=self._counts.sent,
            mode=self.info.mode,
            ended=ended,
            reason=reason,
            analysed_fps=self.analysed_fps(),
            wanted_fps=self.wanted_fps(),
            degraded=degraded,
            round_ns=round_ns,
        )

    def decided_ns(self) -> int:
        """Return the time up to which nothing of a recording will be added: to people out of sight, something may be.

        For a live camera it is the latest frame: a window would wait for a second whenever somebody leaves, and the end
        of a tracklet counts in a later window just as well.
        """
        now = self._decoder.time_ns
        if self.info.mode == "latency":
            return now
        people = [item for item in self._tracklets.values() if item.rows and item.person]
        waiting = [item.rows[-1].time_ns for item in people if item.rows[-1].time_ns < now]
        return min([now, *(time_ns - 1 for time_ns in waiting)])

    def seen(self) -> SeenPeople | None:
        """Return the boxes of people since the last call; None before the first picture."""
        return self._seen.take(self.info, self._decoder.time_ns)

    def since_saved(self, chunk: FrameChunk) -> int:
        """Return the stream time from the last state, or the beginning, to a chunk, in ns."""
        return chunk.packets[0].pts_ns - self._counts.saved_pts if chunk.packets else 0

    def save(self, before: FrameChunk) -> bytes:
        """Return the state before a chunk; nothing is lost if `restart_decoder` was called first."""
        self._counts.saved_pts = before.packets[0].pts_ns
        self._gate.reset()
        state = StreamState(
            self.info, self._decoder.save(), self._tracker.save(), self._tracklets, self._counts, self._detail
        )
        return encoded(state)

    def _add_detection(self, track_id: int, frame: Frame, detection: TrackedDetection) -> list[Emission]:
        options = self._options.tracklet
        emissions = []
        current = self._tracklets.setdefault(track_id, OpenTracklet())
        following = tracklet.successor(current, frame.time_ns, detection.overlap, options)
        if following is not None:
            emissions = self._close(track_id)
            current = self._tracklets[track_id] = following
        tracklet.cross(current, detection.overlap, options)
        if tracklet.extend(current, detection.row, options):
            if current.person:
                self._seen.add(self._name(track_id, current), detection.row)
            self._consider(current, frame, detection)
            if tracklet.is_due(current, options):
                emissions += self._emit(track_id, closed=False)
        return emissions

    def _consider(self, current: OpenTracklet, frame: Frame, detection: TrackedDetection) -> None:
        """Keep the crop if it is the best of its time span."""
        row = detection.row
        crop = crops.cut(frame.image, row.box)
        facts = FrameFacts(
            height_px=row.box[3] - row.box[1],
            width_px=row.box[2] - row.box[0],
            score=row.score,
            truncation=tracklet.truncation(row.box, *frame.image.shape[:2]),
            occlusion=detection.occlusion,
            sharpness=math.inf,
        )
        if not tracklet.wants(current, row.time_ns, tracklet.frame_quality(facts), self._options.tracklet):
            return  # however sharp it is: measuring sharpness takes longer than all the rest
        facts = replace(facts, sharpness=crops.sharpness(crop))
        value = tracklet.frame_quality(facts)
        if tracklet.wants(current, row.time_ns, value, self._options.tracklet):
            pick = Pick(0, value, row.number, Cutout.of(crop))
            tracklet.keep(current, row.time_ns, pick, self._options.tracklet)

    def _close_lost(self) -> list[Emission]:
        """Close the tracklets of lost tracks; if a track may come back, it does so as another leg."""
        remembered = self._tracker.remembered()
        emissions = []
        for track_id in sorted(self._tracklets.keys() - self._tracker.alive()):
            lost = self._tracklets[track_id]
            emissions += self._close(track_id)
            if track_id in remembered:
                self._tracklets[track_id] = OpenTracklet(leg=lost.leg + bool(lost.rows))
        return emissions

    def _close(self, track_id: int) -> list[Emission]:
        is_sent = tracklet.is_sent_on_close(self._tracklets[track_id], self._options.tracklet)
        self._counts.static += tracklet.is_static(self._tracklets[track_id], self._options.tracklet)
        emissions = self._emit(track_id, closed=True) if is_sent else []
        del self._tracklets[track_id]
        return emissions

    def _emit(self, track_id: int, *, closed: bool) -> list[Emission]:
        current = self._tracklets[track_id]
        picks = sorted(current.picks, key=lambda pick: pick.number)
        times_ns = {row.number: row.time_ns for row in current.rows}
        name = str(self._name(track_id, current))
        observed = ObservedTracklet(
            tracklet_id=name,
            camera_id=self.info.camera_id,
            site_id=self.info.site_id,
            revision=current.revision,
            closed=closed,
            times_ns=np.array([row.time_ns for row in current.rows], np.int64),
            frames=np.array([row.number for row in current.rows], np.int64),
            boxes=np.array([row.box for row in current.rows], np.float32),
            scores=np.array([row.score for row in current.rows], np.float32),
            quality=tracklet.quality(current),
            frames_used=len(picks),
            crop=crops.leaving(max(picks, key=lambda pick: pick.quality).cutout, self.info.privacy),
            width=self._seen.size[0],
            height=self._seen.size[1],
            traceparent=trace.continued(self._traceparent, name, current.revision),
        )
        chosen = tuple(Crop(times_ns[pick.number], pick.cutout) for pick in picks)
        emission = Emission(observed, chosen, current.embeddings, storable=self.info.privacy == "full")
        self._counts.sent += current.revision == 0
        tracklet.mark_sent(current, self._options.tracklet)
        return [emission]

    def _name(self, track_id: int, current: OpenTracklet) -> TrackletId:
        return TrackletId(self.info.camera_id, self.info.stream_id, track_id, current.leg, current.part)


def _row(frame: Frame, found: Detections, i: np.intp) -> Row:
    left, top, right, bottom = found.boxes[i].tolist()
    return Row(frame.time_ns, frame.number, (left, top, right, bottom), float(found.scores[i]))
