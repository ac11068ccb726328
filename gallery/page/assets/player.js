// Plays one camera, a little behind, so that every picture is shown with the boxes that the worker found in it.
//
// All times are capture times in ms. The video has its own clock; `offset` is the capture time of its second 0. What is
// shown lags behind the newest picture by as much as the worker needs, measured over the last messages.
import { texts } from "./texts.js";
import { clockOf } from "./time.js";
import { videoColourOf } from "./colour.js";

const KEEP_MS = 20_000; // of boxes, for trails and late pictures
const TRAIL_MS = 5_000;
const HOLD_MS = 600; // a box is shown this long after its picture, until the next one
const BETWEEN_MS = 3_000; // a box moves from one picture to the next if they are no further apart: a worker may be busy
const QUIET_MS = 20_000;
const SEEK_S = 3; // further off than this, jump; below, play a little faster or slower
const START_LAG_MS = 1_500;
const LAGS = 12;

export class Player {
  constructor(video, canvas, image) {
    this.video = video;
    this.canvas = canvas;
    this.image = image;
    this.options = { boxes: true, trails: true };
    this.nameOf = (number) => `#${number}`;
    this.reset();
    this.people = []; // {time, tracklet, box}
    this.identities = new Map();
    this.frame = { width: 16, height: 9 };
    this.until = 0; // capture time up to which the worker has looked
    this.heard = 0; // when it said so
    this.seen = 0; // capture time of the latest box
    this.resting = false; // nobody is there: the last picture stands still
    this.lags = [];
    this.shown = 0;
    this.hits = [];
    this.onFrame = () => {};
    this.running = true;
    const present = (_, { mediaTime }) => {
      this.presented = mediaTime;
      if (this.running) video.requestVideoFrameCallback(present);
    };
    video.requestVideoFrameCallback?.(present);
    const draw = () => {
      if (!this.running) return;
      if (!document.hidden) this.draw();
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }

  canPlay(mime) {
    return "MediaSource" in window && MediaSource.isTypeSupported(mime) && Boolean((this.mime = mime));
  }

  tell(message) {
    const kinds = {
      video: () => this.begin(message, "video"),
      pictures: () => this.begin(message, "pictures"),
      hidden: () => this.begin(message, "hidden"),
      type: () => this.openSource(),
      clock: () => (this.offset = message.time_ms - message.media_s * 1000),
      picture: () => (this.pictureTime = message.time_ms),
      people: () => this.learn(message),
      ended: () => (this.ended = message.reason || "ended"),
    };
    kinds[message.kind]?.();
  }

  piece(kind, data) {
    if (this.resting && this.shown) return; // a browser goes on with the next keyframe by itself
    if (kind === 1) {
      this.waitingPictures.push({ time: this.pictureTime, url: URL.createObjectURL(new Blob([data], { type: "image/jpeg" })) });
      while (this.waitingPictures.length > 40) URL.revokeObjectURL(this.waitingPictures.shift().url);
      return;
    }
    this.pieces.push(data);
    this.append();
  }

  begin(message, how) {
    this.reset();
    this.resting = false;
    this.how = how;
    this.frame = { width: message.width, height: message.height };
  }

  reset() {
    this.how = "";
    this.ended = "";
    this.offset = null;
    this.presented = null; // second of the file whose picture is on the screen: a busy browser is behind its own clock
    this.pieces = [];
    this.waitingPictures?.forEach(({ url }) => URL.revokeObjectURL(url));
    this.waitingPictures = [];
    this.buffer = null;
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
  }

  openSource() {
    const source = new MediaSource();
    this.address = URL.createObjectURL(source);
    this.video.src = this.address;
    source.addEventListener("sourceopen", () => {
      if (this.video.src !== this.address || source.readyState !== "open") return; // the tile has gone meanwhile
      this.buffer = source.addSourceBuffer(this.mime);
      this.buffer.addEventListener("updateend", () => this.append());
      this.append();
    }, { once: true });
    this.video.play().catch(() => {}); // muted video may play; if not, the first touch starts it
  }

  append() {
    const { buffer, video } = this;
    if (!buffer || buffer.updating || video.error) return;
    try {
      if (buffer.buffered.length && video.currentTime - buffer.buffered.start(0) > 30) buffer.remove(0, video.currentTime - 10);
      else if (this.pieces.length) buffer.appendBuffer(this.pieces.shift());
    } catch {
      this.buffer = null; // the source was closed; the next keyframe opens another
    }
  }

  learn(message) {
    const now = Date.now();
    if (this.until) {
      this.lags.push(now - this.until); // the longest wait, just before this message came
      if (this.lags.length > LAGS) this.lags.shift();
    }
    this.until = message.until_ms;
    this.heard = now;
    this.frame = { width: message.width, height: message.height };
    for (const [time, tracklet, ...box] of message.boxes) this.people.push({ time, tracklet, box });
    this.seen = Math.max(this.seen || message.until_ms, ...message.boxes.map(([time]) => time)); // from the beginning on
    for (const [tracklet, number] of Object.entries(message.identities)) this.identities.set(tracklet, number);
    const first = this.people.findIndex(({ time }) => time > message.until_ms - KEEP_MS);
    if (first > 0) this.people.splice(0, first);
    if (this.identities.size > 500) this.identities = new Map([...this.identities].slice(-250));
  }

  // How far behind the present pictures are shown, ms.
  lag() {
    return this.lags.length ? Math.max(...this.lags) + 100 : START_LAG_MS;
  }

  // The capture time to show now.
  wanted() {
    return Date.now() - this.lag();
  }

  // Tells whether nobody has been seen for some time, although the worker has looked.
  isQuiet() {
    return this.until - this.seen > QUIET_MS;
  }

  rest(resting) {
    this.resting = resting;
    if (resting) this.video.pause();
  }

  follow() {
    const { video } = this;
    if (this.resting) return;
    if (this.offset === null || !video.buffered.length) return;
    const end = video.buffered.end(video.buffered.length - 1);
    const start = video.buffered.start(0);
    const wanted = Math.min(Math.max((this.wanted() - this.offset) / 1000, start), Math.max(end - 0.1, start));
    const off = wanted - video.currentTime;
    if (Math.abs(off) > SEEK_S || video.currentTime < start) video.currentTime = wanted;
    else video.playbackRate = Math.min(1.5, Math.max(0.6, 1 + off * 0.4));
    if (video.paused && !document.hidden) video.play().catch(() => {});
  }

  // Returns the capture time of what is on the screen, null before the first picture.
  time() {
    if (this.how === "pictures") {
      const wanted = this.wanted();
      while (this.waitingPictures.length && (this.waitingPictures[0].time <= wanted || this.waitingPictures.length > 20)) {
        const { time, url } = this.waitingPictures.shift();
        if (this.pictureUrl) URL.revokeObjectURL(this.pictureUrl);
        this.image.src = this.pictureUrl = url;
        this.pictureShown = time;
      }
      return this.pictureShown ?? null;
    }
    if (this.how === "hidden") return this.wanted(); // boxes only: their times are all there is to show
    this.follow();
    return this.offset === null || !this.video.videoWidth ? null : this.offset + (this.presented ?? this.video.currentTime) * 1000;
  }

  draw() {
    const time = this.time();
    const context = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = Math.round(width * ratio);
    if (this.canvas.height !== Math.round(height * ratio)) this.canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.hits = [];
    this.shown = time;
    this.onFrame(time);
    if (time === null) return;
    const scale = Math.min(width / this.frame.width, height / this.frame.height);
    const place = { scale, x: (width - this.frame.width * scale) / 2, y: (height - this.frame.height * scale) / 2 };
    const seen = this.seenAt(time);
    if (this.options.trails) for (const person of seen) this.trail(context, place, person);
    if (this.options.boxes) for (const person of seen) this.box(context, place, person);
  }

  // The people at a capture time, their boxes between the two nearest pictures that were analysed.
  seenAt(time) {
    const found = new Map();
    for (const entry of this.people) {
      if (entry.time < time - TRAIL_MS) continue;
      const person = found.get(entry.tracklet) ?? { tracklet: entry.tracklet, past: [], next: null };
      if (entry.time <= time + 20) person.past.push(entry);
      else person.next ??= entry;
      found.set(entry.tracklet, person);
    }
    const people = [];
    for (const person of found.values()) {
      const last = person.past.at(-1);
      if (!last) continue;
      const near = person.next && person.next.time - last.time <= BETWEEN_MS;
      if (time - last.time > HOLD_MS && !near) continue;
      const share = near ? Math.max(0, (time - last.time) / (person.next.time - last.time)) : 0;
      const box = last.box.map((edge, i) => edge + share * ((near ? person.next.box[i] : edge) - edge));
      people.push({ ...person, box, number: this.identities.get(person.tracklet) ?? null });
    }
    return people;
  }

  box(context, { scale, x, y }, { box, number, tracklet }) {
    const [left, top, right, bottom] = [x + box[0] * scale, y + box[1] * scale, x + box[2] * scale, y + box[3] * scale];
    const colour = videoColourOf(number);
    context.lineWidth = 4;
    context.strokeStyle = "rgb(0 0 0 / 55%)";
    context.strokeRect(left, top, right - left, bottom - top);
    context.lineWidth = 2;
    context.strokeStyle = colour;
    context.setLineDash(number == null ? [5, 4] : []);
    context.strokeRect(left, top, right - left, bottom - top);
    context.setLineDash([]);
    const label = number == null ? "…" : this.nameOf(number);
    context.font = "600 12px system-ui, sans-serif";
    const wide = context.measureText(label).width + 10;
    const above = top >= 18;
    context.fillStyle = colour;
    context.fillRect(left - 1, above ? top - 18 : top, wide, 18);
    context.fillStyle = "#10141a";
    context.textBaseline = "middle";
    context.fillText(label, left + 4, (above ? top - 18 : top) + 9.5);
    this.hits.push({ left, top: above ? top - 18 : top, right, bottom, number, tracklet });
  }

  trail(context, { scale, x, y }, { past, number }) {
    if (past.length < 2) return;
    context.lineWidth = 2.5;
    context.lineCap = "round";
    context.strokeStyle = videoColourOf(number);
    const oldest = past.at(-1).time - TRAIL_MS;
    for (let i = 1; i < past.length; i++) {
      const [from, to] = [past[i - 1].box, past[i].box];
      context.globalAlpha = 0.75 * Math.max(0, (past[i].time - oldest) / TRAIL_MS);
      context.beginPath();
      context.moveTo(x + ((from[0] + from[2]) / 2) * scale, y + from[3] * scale);
      context.lineTo(x + ((to[0] + to[2]) / 2) * scale, y + to[3] * scale);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  // The smallest box at a point of the tile.
  at(px, py) {
    const area = ({ left, top, right, bottom }) => (right - left) * (bottom - top);
    const inside = this.hits.filter((hit) => px >= hit.left && px <= hit.right && py >= hit.top && py <= hit.bottom);
    return inside.sort((a, b) => area(a) - area(b))[0] ?? null;
  }

  // One line for whoever cannot see the boxes.
  description() {
    const numbers = this.hits.map(({ number }) => (number == null ? texts.live.somebody : this.nameOf(number)));
    const when = this.shown ? clockOf(this.shown) : "";
    return `${when}: ${numbers.join(", ") || texts.live.nobody}`;
  }

  close() {
    this.running = false;
    this.video.removeAttribute("src");
    this.video.load();
    this.reset();
  }
}
