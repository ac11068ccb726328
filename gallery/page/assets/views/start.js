// The first start: a camera, its picture, and somebody who walks past it and gets a number.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact-3.1.1.js";
import { get, post } from "../api.js";
import { LiveConnection } from "../connection.js";
import { useLoaded } from "../hooks.js";
import { Chip, Crop } from "../parts/person.js";
import { Found } from "../parts/found.js";
import { Tile } from "../parts/tile.js";
import { Tried, useTest } from "../parts/tried.js";
import { texts } from "../texts.js";

const own = texts.start;
const LOOK_MS = 1_000;
const NO_OPTIONS = { boxes: true, trails: true };

const Steps = ({ now }) => html`<ol class="steps">${own.steps.map((step, i) => html`<li key=${step} aria-current=${i === now ? "step" : undefined}>${step}</li>`)}</ol>`;

export function Start({ path, go, onPerson }) {
  const camera = decodeURIComponent(path);
  return html`<section class="start">
    <h1>${own.title}</h1>
    ${camera ? html`<${WalkPast} key=${camera} camera=${camera} go=${go} onPerson=${onPerson} />` : html`<${First} go=${go} />`}
  </section>`;
}

function First({ go }) {
  const [url, setUrl] = useState("");
  const [name, setName] = useState("camera1");
  const [error, setError] = useState("");
  const tried = useTest(url.trim());
  const shows = tried.result && !tried.result.problem;
  const next = async (event) => {
    event.preventDefault();
    setError("");
    if (!shows) return tried.test();
    try {
      await post("v1/cameras", { camera_id: name, url: url.trim(), realtime: true }); // in real time: a recording, too
      return go(`start/${encodeURIComponent(name)}`);
    } catch (failure) {
      return setError(failure.message);
    }
  };
  return html`<${Steps} now=${shows ? 1 : 0} /><form class="panel form" onSubmit=${next}>
    <${Found} choose=${(address, found) => { setUrl(address); setName(found); }} />
    <label>${texts.cameras.address}<input required autofocus value=${url} onInput=${(e) => setUrl(e.target.value)} placeholder=${texts.cameras.addressHelp} spellcheck="false" autocomplete="off" /></label>
    <p class="quiet small">${own.addressHelp}</p>
    <${Tried} ...${tried} />
    ${shows && html`<label>${own.name}<input required value=${name} onInput=${(e) => setName(e.target.value)} pattern="[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}" title=${texts.cameras.nameHelp} autocomplete="off" /></label>`}
    ${error && html`<p class="warn" role="alert">${error}</p>`}
    <div class="buttons"><button class="primary" disabled=${tried.busy}>${shows ? own.use : texts.trying.test}</button></div>
  </form>`;
}

function WalkPast({ camera, go, onPerson }) {
  const players = useRef(new Map());
  const cameras = useLoaded(() => get("v1/cameras").then((answer) => answer.cameras), [], LOOK_MS);
  const seen = useLoaded(() => get(`v1/tracks?camera=${encodeURIComponent(camera)}&limit=20`).then((answer) => answer.tracks), [camera], LOOK_MS);
  const [, setState] = useState("open");
  useEffect(() => {
    const live = new LiveConnection([camera], players.current, setState);
    return () => live.close();
  }, [camera]);
  const found = (cameras.value ?? []).find((one) => one.camera_id === camera);
  const track = (seen.value ?? []).find((one) => one.identity != null);
  if (cameras.value && !found) return html`<p class="quiet">${own.gone(camera)}</p><button onClick=${() => go("start")}>${own.again}</button>`;
  return html`<${Steps} now=${2} /><div class="walk">
    ${found && html`<${Tile} camera=${found} players=${players.current} options=${NO_OPTIONS} nameOf=${(number) => `#${number}`} number=${1} onPerson=${onPerson} onEnlarge=${() => {}} />`}
    <div class="panel found" role="status" aria-live="polite">${track
      ? html`<${Crop} tracklet=${track.tracklet_id} label=${`#${track.identity}`} />
        <div><h2>${own.seen(track.identity)}</h2><p class="quiet">${own.seenHelp}</p>
          <div class="buttons"><${Chip} person=${{ id: track.identity }} onClick=${() => onPerson(track.identity)} />
            <button class="primary" onClick=${() => go("live")}>${own.done}</button><button onClick=${() => go("cameras/add")}>${own.more}</button></div></div>`
      : html`<div><h2>${own.walk}</h2><p class="quiet">${own.walkHelp}</p><div class="buttons"><button onClick=${() => go("live")}>${own.later}</button></div></div>`}
    </div>
  </div>`;
}
