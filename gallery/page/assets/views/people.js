// Everybody, the last seen first.
import { html, useMemo, useState } from "../vendor/htm-preact-3.1.1.js";
import { get, people, post } from "../api.js";
import { colourOf } from "../colour.js";
import { useEvents, useLoaded, useNow } from "../hooks.js";
import { Crop, Tags, labelOf } from "../parts/person.js";
import { Empty, Failed, Skeleton } from "../parts/states.js";
import { act } from "../parts/toast.js";
import { texts } from "../texts.js";
import { agoOf, momentOf, utcOf } from "../time.js";

const NEW_MS = 10 * 60_000;
const FIRST_SHOWN = 120;
const SURE = ["", "0.5", "0.75", "0.9"]; // each of a person's latest tracks is theirs with at least this probability

const FITS = {
  all: (person) => !person.hidden,
  now: (person, { here }) => here.has(person.id),
  today: (person) => new Date(person.last).toDateString() === new Date().toDateString() && !person.hidden,
  new: (person, { now }) => now - new Date(person.first) < NEW_MS && !person.hidden,
  several: (person) => person.cameras.length > 1 && !person.hidden,
  named: (person) => Boolean(person.name) && !person.hidden,
  hidden: (person) => Boolean(person.hidden),
};

export function People({ onPerson }) {
  const [sure, setSure] = useState("");
  const all = useLoaded(() => people(sure), [sure]);
  const live = useLoaded(() => get("v1/tracks?live=true&limit=1000").then((answer) => answer.tracks), [], 3_000);
  useEvents(() => all.reload(), [all.reload]);
  const now = useNow(5_000);
  const [filter, setFilter] = useState("all");
  const [sought, setSought] = useState("");
  const [tag, setTag] = useState("");
  const [chosen, setChosen] = useState(null); // a Set while selecting
  const [most, setMost] = useState(FIRST_SHOWN);
  const here = useMemo(() => new Map((live.value ?? []).filter((t) => t.identity != null).map((t) => [t.identity, t.camera_id])), [live.value]);
  const shown = useMemo(() => {
    const text = sought.trim().toLowerCase().replace(/^#/, "");
    return (all.value ?? [])
      .filter((person) => FITS[filter](person, { here, now }))
      .filter((person) => !tag || person.tags.includes(tag))
      .filter((person) => !text || String(person.id) === text || (person.name ?? "").toLowerCase().includes(text))
      .sort((a, b) => (here.has(b.id) - here.has(a.id)) || b.last.localeCompare(a.last));
  }, [all.value, filter, tag, sought, here, now]);
  const tags = useMemo(() => [...new Set((all.value ?? []).flatMap((person) => person.tags))].sort(), [all.value]);

  if (all.loading) return html`<${Skeleton} kind="cards" rows=${8} />`;
  if (!all.value) return html`<${Failed} error=${all.error} again=${all.reload} />`;
  const toggle = (id) => setChosen((before) => {
    const next = new Set(before);
    next.has(id) ? next.delete(id) : next.add(id);
    return next;
  });
  const finish = () => { setChosen(null); all.reload(); };
  const merge = async () => {
    const [first, ...others] = [...chosen].sort((a, b) => a - b);
    if (await act(texts.said.merged([first, ...others]), () => post(`v1/identities/${first}/merge`, { with: others }))) finish();
  };
  const hide = async () => {
    for (const id of chosen) await act(texts.said.hidden(id), () => post(`v1/identities/${id}/hide`));
    finish();
  };
  const filters = Object.keys(FITS).filter((name) => ["all", "now", "today", "new", "several"].includes(name) || all.value.some((person) => FITS[name](person, { here, now })));
  return html`<section class="people">
    <header class="tools">
      <div class="tabs" role="tablist">${filters.map((name) => html`
        <button role="tab" aria-selected=${filter === name} onClick=${() => setFilter(name)}>${texts.people.filters[name]}</button>`)}
      </div>
      <span class="grow" />
      ${(tags.length > 0 || tag) && html`<select aria-label=${texts.people.tag} value=${tag} onChange=${(e) => setTag(e.target.value)}>
        <option value="">${texts.people.anyTag}</option>
        ${(tags.includes(tag) || !tag ? tags : [tag, ...tags]).map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
      </select>`}
      <select aria-label=${texts.people.sure} title=${texts.people.sureHelp} value=${sure} onChange=${(e) => setSure(e.target.value)}>
        ${SURE.map((least) => html`<option key=${least} value=${least}>${texts.people.least(least)}</option>`)}
      </select>
      <input type="search" class="find" placeholder=${texts.people.find} aria-label=${texts.people.find} value=${sought} onInput=${(e) => setSought(e.target.value)} />
      ${chosen
        ? html`<span>${texts.people.chosen(chosen.size)}</span>
          <button class="primary" disabled=${chosen.size < 2} onClick=${merge}>${texts.people.merge}</button>
          <button disabled=${!chosen.size} onClick=${hide}>${texts.people.hide}</button>
          <button onClick=${() => setChosen(null)}>${texts.people.done}</button>`
        : all.value.length > 0 && html`<button data-needs="operator" onClick=${() => setChosen(new Set())}>${texts.people.select}</button>`}
    </header>
    ${!all.value.length && !sure
      ? html`<${Empty} title=${texts.people.none} help=${texts.people.noneHelp} />`
      : !shown.length
        ? html`<p class="quiet">${texts.people.noMatch}</p>`
        : html`<p class="quiet">${texts.people.count(shown.length)}</p>
          <div class="cards">${shown.slice(0, most).map((person) => html`
            <${Card} key=${person.id} person=${person} here=${here.get(person.id)} now=${now} chosen=${chosen?.has(person.id)}
              onClick=${() => (chosen ? toggle(person.id) : onPerson(person.id))} selecting=${chosen !== null} />`)}
          </div>
          ${shown.length > most && html`<button onClick=${() => setMost(most + 240)}>${texts.people.more(shown.length - most)}</button>`}`}
  </section>`;
}

function Card({ person, here, now, chosen, onClick, selecting }) {
  const where = here ? texts.people.now(here) : agoOf(person.last, now);
  return html`<button class="card" aria-pressed=${selecting ? Boolean(chosen) : undefined} onClick=${onClick}>
    <${Crop} tracklet=${person.picture ?? person.crops[0]} label=${labelOf(person)} />
    <span class="stripe" style=${{ background: colourOf(person.id) }} />
    <span class="body">
      <b>${labelOf(person)}</b>
      <span class=${here ? "good" : "quiet"} title=${utcOf(person.last)}>${where}</span>
      <span class="quiet" title=${utcOf(person.first)}>${texts.people.since(momentOf(person.first))}</span>
      <span class="cams">${person.cameras.map((camera) => html`<em key=${camera}>${camera}</em>`)}</span>
      ${person.tags.length > 0 && html`<${Tags} tags=${person.tags} />`}
    </span>
  </button>`;
}
