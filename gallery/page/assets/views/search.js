// Who is this? A picture that is dropped, pasted, chosen or taken from a track, and the people who look like it.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact-3.1.1.js";
import { cropUrl, findByPicture, get, trackPath } from "../api.js";
import { colourOf } from "../colour.js";
import { useLoaded } from "../hooks.js";
import { Chip, Crop, labelOf } from "../parts/person.js";
import { Empty, Failed, Skeleton } from "../parts/states.js";
import { texts } from "../texts.js";
import { momentOf, utcOf } from "../time.js";

const own = texts.search;
const MAX_SIDE = 1600; // pixels sent of a larger picture: a detector sees fewer
const BOUNDS = [0.01, 0.03, 0.1, 0.3, 1, 3, Infinity]; // strangers expected among the people shown
const USUAL = 4;

export function Search({ path, onPerson }) {
  const [picture, setPicture] = useState(null); // a canvas
  const [over, setOver] = useState(false);
  const track = path.startsWith("track/") ? decodeURIComponent(path.slice(6)) : "";
  const take = (file) => file && canvasOf(file).then(setPicture, () => setPicture(new Error(own.unreadable)));
  useEffect(() => {
    const pasted = (event) => take([...event.clipboardData.files][0]);
    window.addEventListener("paste", pasted);
    return () => window.removeEventListener("paste", pasted);
  }, []);
  useEffect(() => setPicture(null), [track]);
  const drop = (event) => { event.preventDefault(); setOver(false); take(event.dataTransfer.files[0]); };
  return html`<section class=${`search${over ? " over" : ""}`} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    ${picture instanceof Error
      ? html`<${Failed} error=${picture} again=${() => setPicture(null)} />`
      : picture
        ? html`<${ByPicture} key=${picture.dataset.key} picture=${picture} take=${take} onPerson=${onPerson} />`
        : track
          ? html`<${ByTrack} key=${track} track=${track} take=${take} onPerson=${onPerson} />`
          : html`<${Empty} title=${own.title} help=${own.help}><${Choose} take=${take} primary /><//>`}
  </section>`;
}

function Choose({ take, primary = false }) {
  const input = useRef(null);
  return html`<button class=${primary ? "primary" : ""} onClick=${() => input.current.click()}>${primary ? own.choose : own.other}</button>
    <input ref=${input} type="file" accept="image/jpeg,image/png,image/webp,image/*" hidden onChange=${(event) => take(event.target.files[0])} />`;
}

// The people found in a picture; one of them is looked at.
function ByPicture({ picture, take, onPerson }) {
  const found = useLoaded(() => jpegOf(picture).then(findByPicture), [picture]);
  const [chosen, setChosen] = useState(0);
  const person = found.value?.people[chosen];
  return html`<div class="sought">
    <div class="side">
      <${Shown} picture=${picture} people=${found.value?.people ?? []} size=${found.value} chosen=${chosen} choose=${setChosen} />
      ${found.value?.people.length > 1 && html`<p class="quiet">${own.several(found.value.people.length)}</p>`}
      <div class="buttons"><${Choose} take=${take} /></div>
    </div>
    <${Results} found=${found} lookalikes=${person?.lookalikes} onPerson=${onPerson} />
  </div>`;
}

function ByTrack({ track, take, onPerson }) {
  const found = useLoaded(() => get(`v1/tracks/${trackPath(track)}/lookalikes?limit=50`), [track]);
  return html`<div class="sought">
    <div class="side">
      <div class="whole"><img src=${cropUrl(track)} alt=${own.ofTrack} /></div>
      <p class="quiet">${own.ofTrack}</p>
      <div class="buttons"><${Choose} take=${take} /></div>
    </div>
    <${Results} found=${found} lookalikes=${found.value?.lookalikes} onPerson=${onPerson} />
  </div>`;
}

// The picture, with a frame around everybody who was found; the frames are buttons.
function Shown({ picture, people, size, chosen, choose }) {
  const place = useRef(null);
  useEffect(() => place.current.replaceChildren(picture), [picture]);
  const percent = (value, whole) => `${(100 * value) / whole}%`;
  return html`<div class="whole"><div ref=${place} />
    ${people.map(({ box: [left, top, right, bottom] }, i) => html`<button key=${i} class="frame" aria-pressed=${i === chosen} aria-label=${own.person(i + 1)} onClick=${() => choose(i)}
      style=${{ left: percent(left, size.width), top: percent(top, size.height), width: percent(right - left, size.width), height: percent(bottom - top, size.height) }} />`)}
  </div>`;
}

function Results({ found, lookalikes, onPerson }) {
  const [bound, setBound] = useState(USUAL);
  if (found.loading) return html`<${Skeleton} rows=${5} />`;
  if (!found.value) return html`<${Failed} error=${found.error} again=${found.reload} />`;
  if (!found.value.known) return html`<${Empty} title=${texts.people.none} help=${texts.people.noneHelp} />`;
  const shown = (lookalikes ?? []).filter((one) => one.strangers <= BOUNDS[bound]);
  return html`<div>
    <label class="bound"><span>${own.bound(BOUNDS[bound], found.value.known)}</span>
      <input type="range" min="0" max=${BOUNDS.length - 1} step="1" value=${bound} aria-label=${own.boundLabel} onInput=${(event) => setBound(Number(event.target.value))} /></label>
    ${shown.length
      ? html`<ol class="hits">${shown.map((one) => html`<${Hit} key=${one.identity.id} hit=${one} known=${found.value.known} onPerson=${onPerson} />`)}</ol>`
      : html`<p class="quiet">${lookalikes?.length ? own.nobodySure(lookalikes.length) : own.nobody}</p>`}
  </div>`;
}

function Hit({ hit: { identity, probability, strangers }, known, onPerson }) {
  const share = Math.round(100 * probability);
  const first = identity.picture ?? identity.crops[0];
  return html`<li>
    <${Crop} tracklet=${first} label=${labelOf(identity)} onClick=${() => onPerson(identity.id)} />
    <div>
      <p class="buttons"><${Chip} person=${identity} onClick=${() => onPerson(identity.id)} /><b class="num">${probability < 0.01 ? own.hardly : own.likely(share)}</b></p>
      <div class="bar" aria-hidden="true"><i style=${{ width: `${share}%`, background: colourOf(identity.id) }} /></div>
      <p class="quiet">${own.strangers(Math.max(1, known - 1) / strangers)}</p>
      <p class="quiet" title=${utcOf(identity.last)}>${own.seen(identity.cameras, momentOf(identity.last))}</p>
    </div>
    <div class="more">${identity.crops.filter((crop) => crop !== first).slice(0, 4).map((crop) => html`<${Crop} key=${crop} tracklet=${crop} label=${labelOf(identity)} />`)}</div>
  </li>`;
}

// A picture as it is seen, upright and no larger than needed.
async function canvasOf(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.dataset.key = `${file.name}/${file.lastModified}/${file.size}/${performance.now()}`;
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // under what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

const jpegOf = (canvas) => new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
