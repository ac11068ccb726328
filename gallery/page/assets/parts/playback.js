// What is kept of a person's visits: the clips of all cameras of one time, side by side, moved by one slider.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact-3.1.1.js";
import { asked, base, get } from "../api.js";
import { useLoaded } from "../hooks.js";
import { texts } from "../texts.js";
import { clockOf, durationOf, momentOf } from "../time.js";
import { canSaveAlone, savedAlone } from "./alone.js";
import { Failed, Skeleton } from "./states.js";
import { toast } from "./toast.js";

const APART_MS = 30_000; // visits further apart than this are looked at one after the other
const DRIFT_S = 0.5; // a camera that is further from the others while it plays is set anew; one that is nearer catches up
const SPEEDS = [0.5, 1, 2, 4];
const own = texts.playback;

export function Playback({ id, at = 0 }) {
  const kept = useLoaded(() => get(`v1/identities/${id}/recordings`), [id]);
  const moments = useMemo(() => momentsOf(kept.value?.clips ?? []), [kept.value]);
  const [picked, setChosen] = useState(null);
  const asked = moments.findIndex((one) => at + APART_MS >= one.from && at - APART_MS <= one.to); // the moment of an alert
  const chosen = picked ?? Math.max(asked, 0);
  if (kept.loading) return html`<${Skeleton} rows=${3} />`;
  if (!kept.value) return html`<${Failed} error=${kept.error} again=${kept.reload} />`;
  const reasons = Object.entries(kept.value.not_recorded).map(([camera, reason]) => html`<p key=${camera} class="quiet">${own.notRecorded(camera, reason)}</p>`);
  if (!moments.length) return html`<div class="panel playback-none"><p><b>${own.none}</b></p><p class="quiet">${kept.value.reason}</p>${reasons}</div>`;
  const moment = moments[Math.min(chosen, moments.length - 1)];
  return html`<section class="playback">
    ${moments.length > 1 && html`<label class="playback-moment">${own.moment}
      <select value=${chosen} onChange=${(event) => setChosen(Number(event.target.value))}>
        ${moments.map((one, i) => html`<option key=${one.from} value=${i}>${`${momentOf(one.from)}, ${durationOf((one.to - one.from) / 1000)}, ${one.cameras.join(", ")}`}</option>`)}
      </select></label>`}
    <${Moment} key=${moment.from} id=${id} moment=${moment} at=${at} />
    ${reasons}
  </section>`;
}

// Times in which at least one camera has a clip, the latest first.
function momentsOf(clips) {
  const all = [];
  for (const clip of clips.map((one) => ({ ...one, from: Date.parse(one.since), to: Date.parse(one.until) })).sort((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    if (last && clip.from <= last.to + APART_MS) {
      last.clips.push(clip);
      last.to = Math.max(last.to, clip.to);
    } else all.push({ from: clip.from, to: clip.to, clips: [clip] });
  }
  for (const moment of all) moment.cameras = [...new Set(moment.clips.map((clip) => clip.camera_id))].sort();
  return all.reverse();
}

function Moment({ id, moment, at }) {
  const [time, setTime] = useState(at >= moment.from && at <= moment.to ? at : moment.from);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(1);
  useEffect(() => {
    if (!playing) return undefined;
    let last = performance.now(), frame = 0;
    const step = (now) => {
      const passed = (now - last) * speed;
      last = now;
      setTime((before) => Math.min(before + passed, moment.to));
      frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [playing, speed, moment]);
  useEffect(() => { if (time >= moment.to) setPlaying(false); }, [time >= moment.to]);
  const toggle = () => {
    if (!playing && time >= moment.to) setTime(moment.from);
    setPlaying(!playing);
  };
  return html`<div class="playback-moment-view">
    <div class="playback-grid" data-cameras=${moment.cameras.length}>${moment.cameras.map((camera) => html`
      <${Screen} key=${camera} id=${id} camera=${camera} clips=${moment.clips.filter((clip) => clip.camera_id === camera)} time=${time} playing=${playing} speed=${speed} />`)}</div>
    <div class="playback-bar">
      <button class="primary" onClick=${toggle} aria-label=${playing ? own.pause : own.play}>${playing ? "❚❚" : "▶"}</button>
      <input type="range" aria-label=${own.time} aria-valuetext=${clockOf(time)} min=${moment.from} max=${moment.to} step="40" value=${time} onInput=${(event) => { setPlaying(false); setTime(Number(event.target.value)); }} />
      <output>${clockOf(time)}</output>
      <select aria-label=${own.speed} value=${speed} onChange=${(event) => setSpeed(Number(event.target.value))}>
        ${SPEEDS.map((one) => html`<option key=${one} value=${one}>${`${one}×`}</option>`)}</select>
    </div>
  </div>`;
}

// One camera: the clip of the slider's time, held at that time.
function Screen({ id, camera, clips, time, playing, speed }) {
  const video = useRef();
  const clip = clips.find((one) => time >= one.from && time <= one.to) ?? clips.findLast((one) => time > one.to) ?? clips[0];
  const [file, setFile] = useState(null);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    const given = new AbortController();
    let address = "";
    setFile(null);
    setFailed("");
    load(clip.url, given.signal).then((loaded) => {
      address = loaded.address;
      setFile(loaded);
    }, (error) => error.name !== "AbortError" && setFailed(error.message));
    return () => {
      given.abort();
      if (address) URL.revokeObjectURL(address);
    };
  }, [clip.url]);
  const inside = time >= clip.from && time <= clip.to;
  const hold = () => {
    const element = video.current;
    if (!element || !file) return;
    const wanted = Math.max(0, (time - file.since) / 1000);
    const behind = wanted - element.currentTime;
    const runs = playing && inside;
    element.playbackRate = speed * (runs ? 1 + Math.max(-0.1, Math.min(0.1, behind)) : 1);
    if (Math.abs(behind) > (runs ? DRIFT_S * speed : 0.02) && !element.seeking) element.currentTime = wanted;
    if (runs && element.paused) element.play().catch(() => {});
    if (!runs && !element.paused) element.pause();
  };
  useEffect(hold, [time, playing, speed, file]);
  return html`<figure class=${inside ? "" : "outside"}>
    ${failed ? html`<p class="playback-failed">${failed}</p>`
      : html`<video ref=${video} src=${file?.address} muted playsinline preload="auto" aria-label=${own.clipOf(camera)} onSeeked=${hold}
        onError=${() => file && setFailed(own.cannotPlay(clip.codec))} />`}
    <figcaption><b>${camera}</b>${!inside && html`<span class="quiet">${time < clip.from ? own.later(clockOf(clip.from)) : own.over}</span>`}
      ${file && html`<a href=${file.address} download=${`${camera}-${clip.since}.mp4`}>${own.download}</a>`}
      ${file && canSaveAlone() && html`<${Alone} key=${file.address} id=${id} clip=${clip} file=${file} />`}</figcaption>
  </figure>`;
}

// Saves what is on the screen without anybody else, while it plays once more out of sight.
function Alone({ id, clip, file }) {
  const [share, setShare] = useState(null);
  const given = useRef(null);
  useEffect(() => () => given.current?.abort(), []);
  const save = async () => {
    given.current = new AbortController();
    setShare(0);
    try {
      const { address, ending } = await savedAlone({ id, clip, file, told: setShare, signal: given.current.signal });
      Object.assign(document.createElement("a"), { href: address, download: `person-${id}-${clip.camera_id}-${clip.since}.${ending}` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, { bad: true });
    }
    setShare(null);
  };
  if (share === null) return html`<button class="plain link" data-needs="operator" title=${own.aloneHelp} onClick=${save}>${own.alone}</button>`;
  return html`<span class="num">${own.aloneShare(share)}</span><button class="plain link" onClick=${() => given.current.abort()}>${own.stop}</button>`;
}

async function load(path, signal) {
  const answer = await asked(new URL(path, base), { credentials: "same-origin", signal });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? own.missing);
  return { since: Date.parse(answer.headers.get("Climbtrack-Since")), address: URL.createObjectURL(await answer.blob()) };
}
