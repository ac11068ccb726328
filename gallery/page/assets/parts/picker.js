// Somebody else, chosen by how they look: the most alike first, then those seen last; hidden people are left out.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact-3.1.1.js";
import { findPeople, get, trackPath } from "../api.js";
import { useLoaded } from "../hooks.js";
import { texts } from "../texts.js";
import { agoOf } from "../time.js";
import { Crop, labelOf } from "./person.js";
import { Failed, Skeleton } from "./states.js";

const own = texts.picker;
const SHOWN = 60;
const ALIKE = 12;
const LIKELY = 0.01; // of less there is nothing to say
const WAIT_MS = 1_500; // for who looks alike: those seen last are shown without it

export function Picker({ title, person, choose, cancel }) {
  const [sought, setSought] = useState("");
  const text = sought.trim().replace(/^#/, "");
  const box = useRef();
  const track = person.picture ?? person.crops[0];
  const latest = useLoaded(() => Promise.all([alikeOf(track), get(`v1/identities?sort=last&limit=${SHOWN}`)]).then(ordered), [track]);
  const found = useLoaded(() => (text ? findPeople(text) : []), [text]);
  useEffect(() => box.current.focus(), []);
  const shown = ((text ? found : latest).value ?? []).filter(({ id }) => id !== person.id);
  const failed = (text ? found : latest).error;
  const keys = (event) => {
    if (event.key === "Escape") cancel();
    if (event.key === "Enter" && text && shown[0]) choose(shown[0]);
    if (["Escape", "Enter"].includes(event.key)) { event.preventDefault(); event.stopPropagation(); }
  };
  return html`<section class="panel picker" aria-label=${title}>
    <header><b>${title}</b><span class="grow" /><button class="plain" aria-label=${texts.close} onClick=${cancel}>×</button></header>
    <input ref=${box} type="search" placeholder=${texts.people.find} aria-label=${title} value=${sought} onInput=${(event) => setSought(event.target.value)} onKeyDown=${keys} />
    ${failed ? html`<${Failed} error=${failed} />`
      : (text ? found : latest).loading ? html`<${Skeleton} rows=${2} />`
      : !shown.length ? html`<p class="quiet">${text ? texts.people.noMatch : own.nobody}</p>`
      : html`<ul>${shown.map((one) => html`<li key=${one.id}><button class="card" onClick=${() => choose(one)}>
          <${Crop} tracklet=${one.picture ?? one.crops[0]} label="" />
          <b>${labelOf(one)}</b>
          <span class="quiet small">${one.alike >= LIKELY ? own.alike(one.alike) : agoOf(one.last)}</span></button></li>`)}</ul>`}
  </section>`;
}

// Those who look alike enough to be named so, and nobody if nobody answers in time: the gallery may be busy.
function alikeOf(track) {
  if (!track) return [];
  const found = get(`v1/tracks/${trackPath(track)}/lookalikes?limit=${ALIKE}`)
    .then(({ lookalikes }) => lookalikes.map(({ identity, probability }) => ({ ...identity, alike: probability })), () => []);
  return Promise.race([found, new Promise((late) => setTimeout(() => late([]), WAIT_MS))]);
}

function ordered([alike, { identities }]) {
  const numbers = new Set(alike.map(({ id }) => id));
  return [...alike, ...identities.filter(({ id }) => !numbers.has(id))];
}
