// One camera on the wall: video, boxes, state.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact-3.1.1.js";
import { Player } from "../player.js";
import { texts } from "../texts.js";

const STATE_MS = 500;
const LIVE = /^([a-z]+:\/\/|\d+$|\/dev\/)/; // a recording is as late as its clock says, which tells nobody anything

// What ingest says comes first: a camera that cannot be reached is not live, whatever was analysed before.
const OF_SOURCE = { "backing off": "retrying", stalled: "stalled", failed: "failed", connecting: "connecting" };

export function stateOf(camera) {
  if (!camera.enabled) return "paused";
  const told = OF_SOURCE[camera.source?.state];
  if (told) return told;
  if (!camera.state) return "waiting";
  if (camera.state.ended) return camera.source?.state === "live" ? "waiting" : "ended";
  return camera.state.degraded ? "degraded" : "live";
}

export function Tile({ camera, players, options, nameOf, large, onPerson, onEnlarge, number, quiet = false, onQuiet = () => {} }) {
  const latest = useRef(onQuiet);
  latest.current = onQuiet;
  const video = useRef(), canvas = useRef(), image = useRef(), player = useRef();
  const [status, setStatus] = useState({ how: "", delay: null, shown: false, seen: "" });
  useEffect(() => {
    const made = (player.current = new Player(video.current, canvas.current, image.current));
    players.set(camera.camera_id, made);
    const timer = setInterval(() => {
      const delay = made.shown ? (Date.now() - made.shown) / 1000 : null;
      latest.current(made.isQuiet());
      setStatus({ how: made.how, delay, shown: made.shown !== null && made.shown !== 0, seen: made.description(), frame: made.frame });
    }, STATE_MS);
    return () => {
      clearInterval(timer);
      players.delete(camera.camera_id);
      made.close();
    };
  }, [camera.camera_id]);
  useEffect(() => player.current.rest(quiet), [quiet]);
  useEffect(() => {
    player.current.options = options;
    player.current.nameOf = nameOf;
  });
  const click = (event) => {
    const area = canvas.current.getBoundingClientRect();
    const hit = player.current.at(event.clientX - area.left, event.clientY - area.top);
    if (hit?.number != null) onPerson(hit.number);
    else onEnlarge();
  };
  const state = stateOf(camera);
  const progress = camera.state;
  const recording = !LIVE.test(camera.url);
  const ratio = status.frame ? `${status.frame.width} / ${status.frame.height}` : "16 / 9";
  return html`<figure class="tile ${large ? "large" : ""} ${quiet ? "resting" : ""}">
    <figcaption>
      <i class="dot ${state}" title=${texts.cameras.states[state] ?? state} />
      <button class="plain name" onClick=${onEnlarge} title=${number <= 9 ? `Key ${number}` : ""}>${camera.camera_id}</button>
      <span class="grow" />
      ${progress && state !== "ended" && html`<span class="num">${texts.cameras.frames(progress.analysed_fps, progress.wanted_fps)}</span>`}
      ${recording
        ? html`<span class="num">${texts.live.recording}</span>`
        : !quiet && status.shown && status.delay >= 0 && status.delay < 120 && html`<span class="num">${texts.live.behind(status.delay)}</span>`}
    </figcaption>
    <div class="screen" style=${{ aspectRatio: ratio }} onClick=${click}>
      <video ref=${video} muted playsinline disableRemotePlayback hidden=${status.how === "pictures" || status.how === "hidden"} />
      <img ref=${image} alt="" hidden=${status.how !== "pictures"} />
      <canvas ref=${canvas} role="img" aria-label=${`${camera.camera_id}. ${status.seen}`} />
      ${status.how === "hidden" && html`<div class="wait"><span>${texts.live.hidden}</span></div>`}
      ${!status.shown && html`<div class="wait"><span>${waitingText(camera, state)}</span></div>`}
    </div>
  </figure>`;
}

function waitingText(camera, state) {
  if (state === "ended") return camera.state.reason ? `${texts.live.ended}: ${camera.state.reason}` : texts.live.ended;
  if (state === "paused") return texts.live.paused;
  if (camera.source?.cause) return camera.source.cause;
  return camera.state ? texts.live.keyframe : texts.live.connecting;
}
