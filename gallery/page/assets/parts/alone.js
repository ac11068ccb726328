// A clip in which nobody but one person can be recognised, drawn and recorded here while it plays: as the command does it.
import { get } from "../api.js";
import { texts } from "../texts.js";

const BLOCKS = [2, 4]; // across and down
const SHADES = [64, 192];
const HELD_MS = 1_000; // before a track's first box and after its last one
const LONGEST_MS = 2_000; // between two boxes of a track: the person was somewhere between them
const MARGIN = 0.15; // of a box, on each side
const MOST = 1_000; // tracks of one answer
const LARGEST_PX = 1280;
const KINDS = ["video/mp4;codecs=avc1.42E01F", "video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"];
const own = texts.playback;

export const canSaveAlone = () => "MediaRecorder" in window && "requestVideoFrameCallback" in HTMLVideoElement.prototype;

// Returns the file; `told` is called with the share that is done.
export async function savedAlone({ id, clip, file, told, signal }) {
  const around = HELD_MS + LONGEST_MS;
  const query = new URLSearchParams({ camera: clip.camera_id, from: (clip.from - around) / 1000, to: (clip.to + around) / 1000, boxes: true, limit: MOST });
  const { tracks } = await get(`v1/tracks?${query}`);
  if (tracks.length >= MOST) throw new Error(own.tooMany);
  const video = document.createElement("video");
  Object.assign(video, { src: file.address, muted: true, playsInline: true });
  await new Promise((resolve, reject) => Object.assign(video, { onloadeddata: resolve, onerror: () => reject(new Error(own.cannotPlay(clip.codec))) }));
  const scale = Math.min(1, LARGEST_PX / Math.max(video.videoWidth, video.videoHeight));
  const size = [video.videoWidth, video.videoHeight].map((side) => Math.max(2, Math.round((side * scale) / 2) * 2));
  const canvas = Object.assign(document.createElement("canvas"), { width: size[0], height: size[1] });
  const hide = hiding(video, canvas, people(tracks, id));
  video.currentTime = Math.max(0, (clip.from - file.since) / 1000);
  await new Promise((resolve) => (video.onseeked = resolve));
  hide(file.since + video.currentTime * 1000);
  const type = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: type }); // of what is drawn: black would be its first picture
  const parts = [];
  recorder.ondataavailable = ({ data }) => data.size && parts.push(data);
  const done = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  const each = (_, { mediaTime }) => {
    const time = file.since + mediaTime * 1000;
    hide(time);
    told(Math.min(1, (time - clip.from) / Math.max(1, clip.to - clip.from)));
    if (time >= clip.to || signal.aborted) finish();
    else video.requestVideoFrameCallback(each);
  };
  const finish = () => recorder.state !== "inactive" && (video.pause(), recorder.stop());
  video.onended = finish;
  video.requestVideoFrameCallback(each);
  await video.play();
  await done;
  video.removeAttribute("src");
  video.load();
  if (signal.aborted) throw new DOMException("", "AbortError");
  return { address: URL.createObjectURL(new Blob(parts, { type })), ending: type.startsWith("video/mp4") ? "mp4" : "webm" };
}

// Tracks with what surrounds their boxes: of the person, and of everybody else.
function people(tracks, id) {
  const all = new Map();
  for (const track of tracks) {
    const mine = track.identity === id;
    const name = `${mine} ${track.tracklet_id.split(".")[0]}`;
    const one = all.get(name) ?? { mine, seen: [] };
    track.times.forEach((time, i) => one.seen.push({ time: Date.parse(time), box: wider(track.boxes[i]) }));
    all.set(name, one);
  }
  for (const one of all.values()) one.seen.sort((a, b) => a.time - b.time);
  return [...all.values()];
}

const wider = ([left, top, right, bottom]) => {
  const [x, y] = [MARGIN * (right - left), MARGIN * (bottom - top)];
  return [left - x, top - y, right + x, bottom + y];
};

// What surrounds somebody's boxes before and after a time; null where they are not expected.
export function boxAt(seen, time) {
  let after = seen.findIndex((one) => one.time >= time);
  if (after < 0) after = seen.length - 1;
  const before = seen[after].time >= time ? Math.max(0, after - 1) : after;
  const [since, until] = [time - seen[before].time, seen[after].time - time];
  const joined = since >= 0 && until >= 0 && since + until <= LONGEST_MS;
  const near = [[before, since], [after, until]].filter(([, gap]) => joined || Math.abs(gap) <= HELD_MS).map(([place]) => seen[place].box);
  if (!near.length) return null;
  return [0, 1, 2, 3].map((edge) => (edge < 2 ? Math.min : Math.max)(...near.map((box) => box[edge])));
}

function hiding(video, canvas, all) {
  const context = canvas.getContext("2d");
  const small = Object.assign(document.createElement("canvas"), { width: BLOCKS[0], height: BLOCKS[1] });
  const coarse = small.getContext("2d", { willReadFrequently: true });
  const scale = canvas.width / video.videoWidth;
  const blocks = (x, y, width, height) => {
    coarse.drawImage(video, x, y, width, height, 0, 0, ...BLOCKS);
    const shades = coarse.getImageData(0, 0, ...BLOCKS);
    for (let i = 0; i < shades.data.length; i += 4) {
      const light = 0.299 * shades.data[i] + 0.587 * shades.data[i + 1] + 0.114 * shades.data[i + 2];
      shades.data.fill(SHADES[light < 128 ? 0 : 1], i, i + 3);
    }
    coarse.putImageData(shades, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, x * scale, y * scale, width * scale, height * scale);
    context.imageSmoothingEnabled = true;
  };
  const inside = (box) => {
    const [left, top] = [Math.max(0, box[0]), Math.max(0, box[1])];
    const [right, bottom] = [Math.min(video.videoWidth, box[2]), Math.min(video.videoHeight, box[3])];
    return right - left >= 1 && bottom - top >= 1 ? [left, top, right - left, bottom - top] : null;
  };
  return (time) => {
    blocks(0, 0, video.videoWidth, video.videoHeight);
    for (const mine of [true, false])
      for (const one of all) {
        const box = one.mine === mine && boxAt(one.seen, time);
        const [x, y, width, height] = (box && inside(box)) || [];
        if (!width) continue;
        if (mine) context.drawImage(video, x, y, width, height, x * scale, y * scale, width * scale, height * scale);
        else blocks(x, y, width, height);
      }
  };
}
