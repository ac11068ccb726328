// Why each track is this person: whom it was compared with, how likely each was, and what excluded the others.
import { html } from "../vendor/htm-preact-3.1.1.js";
import { get, post, trackPath } from "../api.js";
import { colourOf } from "../colour.js";
import { useLoaded, usePeopleChanged } from "../hooks.js";
import { texts } from "../texts.js";
import { durationOf, momentOf, utcOf } from "../time.js";
import { Chip, Crop, labelOf } from "./person.js";
import { act } from "./toast.js";

const SHOWN = 40;
const own = texts.person;

export function Why({ person, go }) {
  return html`<ol class="why">${person.tracks.slice(0, SHOWN).map((track, i) => html`<${Reason} key=${track.tracklet_id} track=${track} person=${person} go=${go} first=${i === 0} />`)}</ol>`;
}

const percent = (share) => (share < 0.01 ? own.hardly : `${Math.round(share * 100)} %`);
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
const pictureOf = (candidate, track) => candidate.crops.find((crop) => crop !== track) ?? candidate.crop; // another one, to compare with

function Reason({ track, person, go, first }) {
  const why = useLoaded(() => get(`v1/tracks/${trackPath(track.tracklet_id)}/why`), [track.tracklet_id]);
  usePeopleChanged(why.reload);
  const confirm = () => act(own.isRight(track.camera_id, person.id), () => post(`v1/tracks/${trackPath(track.tracklet_id)}/confirm`, { identity: person.id }));
  const told = why.value;
  const confirmed = told?.words.some((word) => word.kind === "confirm");
  return html`<li>
    <${Crop} tracklet=${track.tracklet_id} label=${own.at(labelOf(person), track.camera_id)} />
    <div>
      <p><b>${track.camera_id}</b> <span class="quiet" title=${utcOf(track.first)}>${momentOf(track.first)}, ${durationOf((Date.parse(track.last) - Date.parse(track.first)) / 1000)}</span></p>
      <div class="bar" role="img" aria-label=${own.same(track.probability)}><i style=${{ width: `${track.probability * 100}%`, background: colourOf(person.id) }} /></div>
      <p>${told ? sentence(told.reason || own.noReasons) : ""} ${own.same(track.probability)}${told?.least ? html` <span class="quiet">(${own.needed(told.least)})</span>` : "."}</p>
      ${confirmed ? html`<p class="good">${own.confirmed}</p>` : told?.words.length > 0 && html`<p class="good">${own.said(told.words.length)}</p>`}
      ${told && person.tracks.length > 1 && !confirmed && html`<button data-needs="operator" onClick=${confirm}>${own.right}</button>`}
      ${told?.candidates.length > 0 && html`<details open=${first}><summary>${own.candidates}</summary>
        <ul>${told.candidates.map((one) => html`<li key=${one.identity} class=${one.excluded ? "" : "taken"}>
          <${Crop} tracklet=${pictureOf(one, track.tracklet_id)} label=${`#${one.identity}`} />
          <div><p><${Chip} person=${{ id: one.now ?? one.identity, name: one.name }} onClick=${one.now && one.now !== person.id ? () => go(`people/${one.now}`) : undefined} />
            <span class="num">${percent(one.probability)}</span></p>
            <p class="quiet">${one.excluded ? sentence(one.excluded) : own.chosen}</p></div></li>`)}</ul></details>`}
    </div>
  </li>`;
}
