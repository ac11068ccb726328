// One person: looks, where and when, why this is one person, and what an operator can say about it.
import { html, useEffect, useMemo, useState } from "../vendor/htm-preact-3.1.1.js";
import { del, get, post, trackPath } from "../api.js";
import { colourOf } from "../colour.js";
import { useEvents, useLoaded } from "../hooks.js";
import { Chip, Crop, Tags, labelOf } from "../parts/person.js";
import { Failed, Skeleton } from "../parts/states.js";
import { Plan } from "../parts/plan.js";
import { Playback } from "../parts/playback.js";
import { Timeline } from "../parts/timeline.js";
import { act, toast } from "../parts/toast.js";
import { texts } from "../texts.js";
import { clockOf, durationOf, momentOf, utcOf } from "../time.js";

const SHOWN_SIGHTINGS = 100;
const SHOWN_REASONS = 40;
const own = texts.person;

export function Person({ id, onClose, go }) {
  const person = useLoaded(() => get(`v1/identities/${id}`), [id]);
  const [erased, setErased] = useState(false); // by whomever: nothing of them may stay on a screen
  useEvents((event) => {
    if (event.identity !== id && !event.previous_ids.includes(id)) return;
    setErased(event.kind === "erased");
    if (event.kind !== "erased") person.reload();
  }, [person.reload]);
  useEffect(() => {
    window.addEventListener("people-changed", person.reload);
    return () => window.removeEventListener("people-changed", person.reload);
  }, [person.reload]);
  const [tab, setTab] = useState("where");
  const [chosen, setChosen] = useState(new Set());
  if (person.loading) return html`<${Skeleton} rows=${5} />`;
  if (erased || person.error?.status === 404) return html`<p class="quiet">${own.gone}</p>`;
  if (!person.value) return html`<${Failed} error=${person.error} again=${person.reload} />`;
  const { value } = person;
  const done = (worked) => worked && person.reload();
  const keyOf = (sighting) => sighting.first + sighting.camera_id;
  const choose = (sighting) => setChosen((before) => {
    const next = new Set(before);
    next.has(keyOf(sighting)) ? next.delete(keyOf(sighting)) : next.add(keyOf(sighting));
    return next;
  });
  const split = () => {
    const tracklets = value.presences.filter((s) => chosen.has(keyOf(s))).flatMap((s) => s.tracklets);
    return act(texts.said.split(tracklets.length, labelOf(value)), () => post(`v1/identities/${id}/split`, { tracklets })).then((worked) => {
      if (worked) setChosen(new Set());
      done(worked);
    });
  };
  return html`<article class="person">
    <header>
      <span class="swatch" style=${{ background: colourOf(value.id) }} />
      <h1>${labelOf(value)}${value.name && html` <small>#${value.id}</small>`}</h1>
      <span class="grow" />
      ${onClose && html`<button class="plain" aria-label=${texts.close} onClick=${onClose}>×</button>`}
    </header>
    ${value.previous_ids.length > 0 && html`<p class="quiet">${own.merged(value.previous_ids)}</p>`}
    ${value.tags.length > 0 && html`<${Tags} tags=${value.tags} />`}
    <${Looks} person=${value} />
    <${Actions} person=${value} chosen=${chosen} split=${split} done=${done} go=${go} onClose=${onClose} />
    <div class="tabs" role="tablist">${["where", "recordings", "why"].map((name) => html`
      <button role="tab" aria-selected=${tab === name} onClick=${() => setTab(name)}>${own[name]}</button>`)}
    </div>
    ${tab === "where"
      ? html`<${Timeline} presences=${value.presences} colour=${colourOf(value.id)} chosen=${chosen} onChoose=${choose} />
        <${Plan} presences=${value.presences} colour=${colourOf(value.id)} />
        <${Sightings} person=${value} chosen=${chosen} choose=${choose} keyOf=${keyOf} />`
      : tab === "recordings" ? html`<${Playback} id=${id} />` : html`<${Why} person=${value} />`}
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

function Actions({ person, chosen, split, done, go, onClose }) {
  const [asking, setAsking] = useState("");
  const [text, setText] = useState("");
  const ask = (what, initial = "") => { setAsking(asking === what ? "" : what); setText(initial); };
  const name = async (event) => {
    event.preventDefault();
    const said = text.trim();
    setAsking("");
    done(await act(said ? texts.said.named(person.id, said) : texts.said.unnamed(person.id), () => post(`v1/identities/${person.id}/name`, { name: said })));
  };
  const tag = async (event) => {
    event.preventDefault();
    const tags = text.split(",").map((one) => one.trim()).filter(Boolean);
    setAsking("");
    done(await act(own.tagged(person.id, tags), () => post(`v1/identities/${person.id}/tags`, { tags })));
  };
  const merge = async (event) => {
    event.preventDefault();
    const other = Number(text.replace("#", ""));
    setAsking("");
    done(await act(texts.said.merged([person.id, other]), () => post(`v1/identities/${person.id}/merge`, { with: [other] })));
  };
  const hide = async () => done(await act(person.hidden ? texts.said.shown(person.id) : texts.said.hidden(person.id), () => post(`v1/identities/${person.id}/hide`, { hidden: !person.hidden })));
  const erase = async () => {
    setAsking("");
    try {
      const said = await del(`v1/identities/${person.id}`);
      toast(own.erased(said.erasure?.digest ?? said.id));
      onClose ? onClose() : go("people");
    } catch (error) {
      toast(error.message, { bad: true });
    }
  };
  return html`<div class="actions">
    <button data-needs="operator" onClick=${() => ask("name", person.name ?? "")}>${person.name ? own.name : own.noName}</button>
    <button data-needs="operator" onClick=${() => ask("tags", person.tags.join(", "))}>${person.tags.length ? own.tags : own.noTags}</button>
    <button data-needs="operator" onClick=${() => ask("merge")}>${own.merge}</button>
    <button disabled=${!(person.picture ?? person.crops[0])} onClick=${() => go(`search/track/${encodeURIComponent(person.picture ?? person.crops[0])}`)}>${texts.search.fromTrack}</button>
    <button data-needs="operator" disabled=${!chosen.size} onClick=${split}>${own.split}</button>
    <button data-needs="operator" onClick=${hide}>${person.hidden ? own.show : own.hide}</button>
    <button data-needs="admin" class="danger" onClick=${() => ask("erase")}>${own.erase}</button>
    ${asking === "name" && html`<form onSubmit=${name}><input aria-label=${own.name} autofocus maxlength="100" value=${text} onInput=${(e) => setText(e.target.value)} /><button class="primary">${own.name}</button></form>`}
    ${asking === "tags" && html`<form onSubmit=${tag}><input aria-label=${own.tagsHelp} autofocus placeholder=${own.tagsHelp} value=${text} onInput=${(e) => setText(e.target.value)} /><button class="primary">${own.tags}</button></form>`}
    ${asking === "merge" && html`<form onSubmit=${merge}><input aria-label=${own.merge} autofocus placeholder="#12" inputmode="numeric" pattern="#?[0-9]+" required value=${text} onInput=${(e) => setText(e.target.value)} /><button class="primary">${texts.people.merge}</button></form>`}
    ${asking === "erase" && html`<div class="ask" role="alertdialog"><p>${own.eraseAsk}</p><button class="danger solid" onClick=${erase}>${own.erase}</button> <button onClick=${() => setAsking("")}>${texts.cameras.cancel}</button></div>`}
  </div>`;
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

function Why({ person }) {
  return html`<ol class="why">${person.tracks.slice(0, SHOWN_REASONS).map((track, i) => html`<${Reason} key=${track.tracklet_id} track=${track} person=${person} first=${i === 0} />`)}</ol>`;
}

const percent = (share) => (share < 0.01 ? own.hardly : `${Math.round(share * 100)} %`);
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function Reason({ track, person, first }) {
  const why = useLoaded(() => get(`v1/tracks/${trackPath(track.tracklet_id)}/why`), [track.tracklet_id]);
  useEffect(() => {
    window.addEventListener("people-changed", why.reload);
    return () => window.removeEventListener("people-changed", why.reload);
  }, [why.reload]);
  const confirm = async () => (await act(own.isRight(track.camera_id, person.id), () => post(`v1/tracks/${trackPath(track.tracklet_id)}/confirm`, { identity: person.id }))) && why.reload();
  const told = why.value;
  return html`<li>
    <${Crop} tracklet=${track.tracklet_id} label=${own.at(labelOf(person), track.camera_id)} />
    <div>
      <p><b>${track.camera_id}</b> <span class="quiet" title=${utcOf(track.first)}>${momentOf(track.first)}, ${durationOf((Date.parse(track.last) - Date.parse(track.first)) / 1000)}</span></p>
      <div class="bar" role="img" aria-label=${own.same(track.probability)}><i style=${{ width: `${track.probability * 100}%`, background: colourOf(person.id) }} /></div>
      <p>${told ? sentence(told.reason || own.noReasons) : ""} ${own.same(track.probability)}${told?.least ? html` <span class="quiet">(${own.needed(told.least)})</span>` : "."}</p>
      ${told?.words?.some((word) => word.kind === "confirm")
        ? html`<p class="good">${own.confirmed}</p>`
        : told?.words?.length > 0 && html`<p class="good">${own.said(told.words.length)}</p>`}
      ${told && person.tracks.length > 1 && !told.words.some((word) => word.kind === "confirm") && html`<button data-needs="operator" onClick=${confirm}>${own.right}</button>`}
      ${told?.candidates?.length > 0 && html`<details open=${first}><summary>${own.candidates}</summary>
        <ul>${told.candidates.map((one) => html`<li key=${one.identity}>
          <${Crop} tracklet=${one.crop} label=${`#${one.identity}`} />
          <${Chip} person=${{ id: one.now ?? one.identity, name: one.name }} />
          <span class="num">${percent(one.probability)}</span>
          <span class="quiet">${one.excluded ? sentence(one.excluded) : own.chosen}</span></li>`)}</ul></details>`}
    </div>
  </li>`;
}
