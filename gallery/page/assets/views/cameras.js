// Every camera: what it shows, how it is, and how to add, pause and remove one.
import { html, useEffect, useState } from "../vendor/htm-preact-3.1.1.js";
import { base, del, get, post } from "../api.js";
import { useLoaded } from "../hooks.js";
import { Empty, Failed, Skeleton } from "../parts/states.js";
import { Words } from "../parts/causes.js";
import { stateOf } from "../parts/tile.js";
import { Found } from "../parts/found.js";
import { Tried, useTest } from "../parts/tried.js";
import { act } from "../parts/toast.js";
import { texts } from "../texts.js";
import { Zones } from "./zones.js";

const own = texts.cameras;
const EVERY_MS = 2_000;
const PICTURE_MS = 30_000;
const SHOWING = ["live", "degraded", "stalled"];

export function Cameras({ path, go }) {
  const cameras = useLoaded(() => get("v1/cameras").then((answer) => answer.cameras), [], EVERY_MS);
  const adding = path === "add";
  if (path.startsWith("zones/")) return html`<${Zones} camera=${decodeURIComponent(path.slice(6))} go=${go} />`;
  if (cameras.loading) return html`<${Skeleton} rows=${4} />`;
  if (!cameras.value) return html`<${Failed} error=${cameras.error} again=${cameras.reload} />`;
  return html`<section class="cameras">
    <header class="tools"><strong>${own.count(cameras.value.length)}</strong><span class="grow" />
      ${!adding && html`<button data-needs="admin" class="primary" onClick=${() => go("cameras/add")}>${own.add}</button>`}</header>
    ${adding && html`<${AddCamera} taken=${cameras.value.map((c) => c.camera_id)} done=${() => { go("cameras"); cameras.reload(); }} />`}
    ${!cameras.value.length && !adding
      ? html`<${Empty} title=${own.none} help=${own.noneHelp}><button data-needs="admin" class="primary" onClick=${() => go("cameras/add")}>${own.add}</button><//>`
      : html`<ul class="list">${cameras.value.map((camera) => html`<${Row} key=${camera.camera_id} camera=${camera} reload=${cameras.reload} go=${go} />`)}</ul>`}
  </section>`;
}

function Row({ camera, reload, go }) {
  const [asking, setAsking] = useState(false);
  const state = stateOf(camera);
  const progress = camera.state;
  const pause = async () => (await act(camera.enabled ? own.paused(camera.camera_id) : own.runs(camera.camera_id), () => post(`v1/cameras/${camera.camera_id}/${camera.enabled ? "pause" : "resume"}`))) && reload();
  const remove = async () => (await act(own.removed(camera.camera_id), () => del(`v1/cameras/${camera.camera_id}`))) && reload();
  const cause = camera.source?.cause || (state === "degraded" ? "" : progress?.reason) || "";
  return html`<li class="camera">
    <${Picture} camera=${camera} />
    <div class="grow">
      <h2 class="of-row"><i class="dot ${state}" /> ${camera.camera_id} <small class=${state === "live" ? "good" : "quiet"}>${own.states[state] ?? state}</small></h2>
      <p class="quiet address">${camera.url}</p>
      ${cause && html`<p class="warn"><${Words} of=${cause} /></p>`}
      ${!cause && state === "degraded" && html`<p class="warn">${own.behind} <a href="#/health">${texts.health.see}</a></p>`}
      ${own.privacy[camera.privacy_in_use] && html`<p class="quiet">${own.privacy[camera.privacy_in_use]}</p>`}
      ${progress && html`<p class="quiet num">${own.frames(progress.analysed_fps, progress.wanted_fps)} · ${own.tracklets(progress.tracklets)}${progress.dropped ? ` · ${own.dropped(progress.dropped)}` : ""}</p>`}
    </div>
    <div class="buttons">
      <button data-needs="operator" onClick=${() => go(`cameras/zones/${camera.camera_id}`)}>${texts.zones.open}</button>
      <button data-needs="operator" onClick=${pause}>${camera.enabled ? own.pause : own.resume}</button>
      ${asking
        ? html`<span class="ask">${own.removeAsk(camera.camera_id)} <button class="danger solid" onClick=${remove}>${own.remove}</button> <button onClick=${() => setAsking(false)}>${own.cancel}</button></span>`
        : html`<button data-needs="admin" class="danger" onClick=${() => setAsking(true)}>${own.remove}</button>`}
    </div>
  </li>`;
}

function Picture({ camera }) {
  const [version, setVersion] = useState(0);
  const [shown, setShown] = useState(true);
  const reading = SHOWING.includes(stateOf(camera));
  useEffect(() => {
    if (!reading) return undefined;
    const timer = setInterval(() => { setShown(true); setVersion((v) => v + 1); }, PICTURE_MS);
    return () => clearInterval(timer);
  }, [reading]);
  if (!reading || !shown) return html`<span class="still" />`;
  return html`<img class="still" alt=${own.shows(camera.camera_id)} loading="lazy" onError=${() => setShown(false)}
    src=${new URL(`v1/cameras/${encodeURIComponent(camera.camera_id)}/picture?v=${version}`, base).href.replace(/\?v=0$/, "")} />`;
}

function AddCamera({ taken, done }) {
  const [spec, setSpec] = useState({ camera_id: "", url: "", analysed_fps: 10, detail: "fast" });
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const tried = useTest(spec.url.trim());
  const set = (field) => (event) => setSpec({ ...spec, [field]: event.target.value });
  const save = async (event) => {
    event.preventDefault();
    if (taken.includes(spec.camera_id)) return setError(own.taken(spec.camera_id));
    setError("");
    if (!tried.result) return tried.test();
    setBusy(true);
    try {
      await post("v1/cameras", { ...spec, url: spec.url.trim(), analysed_fps: Number(spec.analysed_fps) });
      done();
    } catch (failure) {
      setError(failure.message);
    }
    setBusy(false);
    return undefined;
  };
  const choose = (url, name) => setSpec({ ...spec, url, camera_id: spec.camera_id || name });
  return html`<form class="panel form" onSubmit=${save}>
    <${Found} choose=${choose} />
    <label>${own.address}<input required autofocus value=${spec.url} onInput=${set("url")} placeholder=${own.addressHelp} spellcheck="false" autocomplete="off" /></label>
    <label>${own.name}<input required value=${spec.camera_id} onInput=${set("camera_id")} placeholder=${own.nameExample} pattern="[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}" title=${own.nameHelp} autocomplete="off" /></label>
    <label>${own.rate}<input type="number" min="1" max="60" value=${spec.analysed_fps} onInput=${set("analysed_fps")} /></label>
    <label>${own.detail}<select value=${spec.detail} onChange=${set("detail")}>${Object.entries(own.details).map(([key, text]) => html`<option value=${key}>${text}</option>`)}</select></label>
    <${Tried} ...${tried} />
    ${error && html`<p class="warn" role="alert">${error}</p>`}
    <div class="buttons"><button class="primary" disabled=${busy || tried.busy}>${!tried.result ? texts.trying.test : tried.result.problem ? texts.trying.anyway : own.save}</button>
      ${tried.result?.problem && html`<button type="button" onClick=${tried.test}>${texts.trying.again}</button>`} <button type="button" onClick=${done}>${own.cancel}</button></div>
  </form>`;
}
