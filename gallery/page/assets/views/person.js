// One person: looks, where and when, why this is one person, and what an operator can say about it.
import { html, useMemo, useState } from "../vendor/htm-preact-3.1.1.js";
import { get } from "../api.js";
import { colourOf } from "../colour.js";
import { useEvents, useLoaded, usePeopleChanged } from "../hooks.js";
import { Actions } from "../parts/actions.js";
import { Chosen } from "../parts/chosen.js";
import { Journal } from "../parts/journal.js";
import { Crop, Tags, labelOf } from "../parts/person.js";
import { Failed, Skeleton } from "../parts/states.js";
import { Plan } from "../parts/plan.js";
import { Playback } from "../parts/playback.js";
import { Timeline } from "../parts/timeline.js";
import { Why } from "../parts/why.js";
import { texts } from "../texts.js";
import { clockOf, durationOf, momentOf, utcOf } from "../time.js";

const SHOWN_SIGHTINGS = 100;
const TABS = ["where", "recordings", "why", "journal"];
const own = texts.person;

export function Person({ id, opened = "where", at = 0, onClose, go }) {
  const person = useLoaded(() => get(`v1/identities/${id}`), [id]);
  const [erased, setErased] = useState(false); // by whomever: nothing of them may stay on a screen
  useEvents((event) => {
    if (event.identity !== id && !event.previous_ids.includes(id)) return;
    setErased(event.kind === "erased");
    if (event.kind !== "erased") person.reload();
  }, [person.reload]);
  usePeopleChanged(person.reload);
  const [tab, setTab] = useState(TABS.includes(opened) ? opened : "where");
  const [chosen, setChosen] = useState(new Set());
  if (person.loading) return html`<${Skeleton} rows=${5} />`;
  if (erased || person.error?.status === 404) return html`<p class="quiet">${own.gone}</p>`;
  if (!person.value) return html`<${Failed} error=${person.error} again=${person.reload} />`;
  const { value } = person;
  const keyOf = (sighting) => sighting.first + sighting.camera_id;
  const choose = (sighting) => setChosen((before) => {
    const next = new Set(before);
    next.has(keyOf(sighting)) ? next.delete(keyOf(sighting)) : next.add(keyOf(sighting));
    return next;
  });
  return html`<article class="person">
    <header>
      <span class="swatch" style=${{ background: colourOf(value.id) }} />
      <h1>${labelOf(value)}${value.name && html` <small>#${value.id}</small>`}</h1>
      <span class="grow" />
      ${onClose && html`<button class="plain" aria-label=${texts.close} onClick=${onClose}>×</button>`}
    </header>
    ${value.previous_ids.length > 0 && html`<p class="quiet">${own.merged(value.previous_ids)}</p>`}
    ${value.faded && html`<p class="quiet">${texts.people.fadedHelp}</p>`}
    ${value.tags.length > 0 && html`<${Tags} tags=${value.tags} />`}
    <${Looks} person=${value} />
    <${Actions} person=${value} go=${go} onClose=${onClose} />
    <div class="tabs" role="tablist">${TABS.map((name) => html`
      <button role="tab" aria-selected=${tab === name} onClick=${() => setTab(name)}>${own[name]}</button>`)}
    </div>
    ${tab === "where"
      ? html`<${Timeline} presences=${value.presences} colour=${colourOf(value.id)} chosen=${chosen} onChoose=${choose} />
        <${Plan} presences=${value.presences} colour=${colourOf(value.id)} />
        <${Sightings} person=${value} chosen=${chosen} choose=${choose} keyOf=${keyOf} />
        <${Chosen} person=${value} sightings=${value.presences.filter((s) => chosen.has(keyOf(s)))} clear=${() => setChosen(new Set())} />`
      : tab === "recordings" ? html`<${Playback} id=${id} at=${at} />` : tab === "why" ? html`<${Why} person=${value} go=${go} />` : html`<${Journal} id=${id} />`}
  </article>`;
}

// The best picture of each camera.
function Looks({ person }) {
  const best = useMemo(() => {
    const byCamera = new Map();
    for (const track of person.tracks) if (!(byCamera.get(track.camera_id)?.quality >= track.quality)) byCamera.set(track.camera_id, track);
    return [...byCamera.values()].sort((a, b) => a.camera_id.localeCompare(b.camera_id));
  }, [person.tracks]);
  return html`<div class="looks">${best.map((track) => html`<figure key=${track.tracklet_id}>
    <${Crop} tracklet=${track.tracklet_id} label=${own.at(labelOf(person), track.camera_id)} />
    <figcaption>${track.camera_id}</figcaption></figure>`)}</div>`;
}

function Sightings({ person, chosen, choose, keyOf }) {
  return html`<table class="rows"><thead><tr><th><span class="unseen">${own.select}</span></th><th>${own.camera}</th><th>${own.from}</th><th class="num">${own.seconds}</th></tr></thead>
    <tbody>${[...person.presences].reverse().slice(0, SHOWN_SIGHTINGS).map((sighting) => html`<tr key=${keyOf(sighting)} class=${chosen.has(keyOf(sighting)) ? "chosen" : ""}>
      <td><input type="checkbox" aria-label=${`${sighting.camera_id} ${clockOf(sighting.first)}`} checked=${chosen.has(keyOf(sighting))} onChange=${() => choose(sighting)} /></td>
      <td>${sighting.camera_id}</td>
      <td title=${utcOf(sighting.first)}>${momentOf(sighting.first)}</td>
      <td class="num">${sighting.live ? html`<span class="good">${own.live}</span>` : durationOf(sighting.seconds)}</td>
    </tr>`)}</tbody></table>`;
}
