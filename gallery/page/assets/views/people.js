// Everybody, the last seen first.
import { html, useMemo, useState } from "../vendor/htm-preact-3.1.1.js";
import { MOST_PEOPLE, findPeople, get, people, post } from "../api.js";
import { colourOf } from "../colour.js";
import { useCalm, useEvents, useLoaded, useNow, usePeopleChanged } from "../hooks.js";
import { Crop, Tags, labelOf } from "../parts/person.js";
import { Empty, Failed, Skeleton } from "../parts/states.js";
import { act } from "../parts/toast.js";
import { texts } from "../texts.js";
import { agoOf, momentOf, utcOf } from "../time.js";

const NEW_MS = 10 * 60_000;
const FIRST_SHOWN = 120;
const SURE = ["", "0.5", "0.75", "0.9"]; // each of a person's latest tracks is theirs with at least this probability

const MINUTES = 60; // of the strip on a card
const HOUR_EVERY_MS = 30_000;

// In which of the last sixty minutes each person was seen; a site too busy to be counted has no strips.
async function presenceOfTheHour() {
  const end = Date.now(), begin = end - MINUTES * 60_000;
  const minutes = new Map();
  const { visits } = await get(`v1/visits?from=${Math.floor(begin / 1000)}`).catch(() => ({ visits: [] }));
  for (const visit of visits) {
    const seen = minutes.get(visit.identity) ?? new Set();
    const [first, last] = [visit.first, visit.last].map((time) => Math.floor((Date.parse(time) - begin) / 60_000));
    for (let minute = Math.max(0, first); minute <= Math.min(MINUTES - 1, last); minute++) seen.add(minute);
    minutes.set(visit.identity, seen);
  }
  return minutes;
}

const FITS = {
  all: (person) => !person.hidden,
  now: (person, { here }) => here.has(person.id) && !person.hidden,
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
  const again = useCalm(all.reload);
  useEvents(again, []);
  usePeopleChanged(all.reload);
  const now = useNow(5_000);
  const hour = useLoaded(presenceOfTheHour, [], HOUR_EVERY_MS);
  const [filter, setFilter] = useState("all");
  const [sought, setSought] = useState("");
  const [tag, setTag] = useState("");
  const [chosen, setChosen] = useState(null); // a Set while selecting
  const [most, setMost] = useState(FIRST_SHOWN);
  const here = useMemo(() => new Map((live.value ?? []).filter((t) => t.identity != null).map((t) => [t.identity, t.camera_id])), [live.value]);
  const text = sought.trim().toLowerCase().replace(/^#/, "");
  const cut = all.value?.length >= MOST_PEOPLE; // whoever was seen earlier is found by asking
  const earlier = useLoaded(() => (cut && text ? findPeople(text) : []), [cut, text]);
  const shown = useMemo(() => {
    const known = new Set((all.value ?? []).map(({ id }) => id));
    return [...(all.value ?? []), ...(earlier.value ?? []).filter(({ id }) => !known.has(id))]
      .filter((person) => FITS[filter](person, { here, now }))
      .filter((person) => !tag || person.tags.includes(tag))
      .filter((person) => !text || String(person.id) === text || (person.name ?? "").toLowerCase().includes(text))
      .sort((a, b) => (here.has(b.id) - here.has(a.id)) || b.last.localeCompare(a.last));
  }, [all.value, earlier.value, filter, tag, text, here, now]);
  const tags = useMemo(() => [...new Set((all.value ?? []).flatMap((person) => person.tags))].sort(), [all.value]);

  if (all.loading) return html`<${Skeleton} kind="cards" rows=${8} />`;
  if (!all.value) return html`<${Failed} error=${all.error} again=${all.reload} />`;
  const toggle = (id) => setChosen((before) => {
    const next = new Set(before);
    next.has(id) ? next.delete(id) : next.add(id);
    return next;
  });
  const finish = () => setChosen(null);
  const merge = async () => {
    const [first, ...others] = [...chosen].sort((a, b) => a - b);
    if (await act(texts.said.merged([first, ...others]), () => post(`v1/identities/${first}/merge`, { with: others }))) finish();
  };
  const hide = async () => {
    const numbers = [...chosen];
    const worked = await act(numbers.length > 1 ? texts.said.hiddenAll(numbers.length) : texts.said.hidden(numbers[0]), async () => {
      const words = [];
      for (const id of numbers) words.push(await post(`v1/identities/${id}/hide`));
      return words;
    });
    if (worked) finish();
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
        : html`<p class="quiet">${cut && filter === "all" && !tag && !text ? texts.people.latest(shown.length) : texts.people.count(shown.length)}</p>
          <div class="cards">${shown.slice(0, most).map((person) => html`
            <${Card} key=${person.id} person=${person} minutes=${hour.value?.get(person.id)} here=${here.get(person.id)} now=${now} chosen=${chosen?.has(person.id)}
              onClick=${() => (chosen ? toggle(person.id) : onPerson(person.id))} selecting=${chosen !== null} />`)}
          </div>
          ${shown.length > most && html`<button onClick=${() => setMost(most + 240)}>${texts.people.more(shown.length - most)}</button>`}`}
  </section>`;
}

function Card({ person, minutes, here, now, chosen, onClick, selecting }) {
  const where = here ? texts.people.now(here) : agoOf(person.last, now);
  return html`<button class="card" aria-pressed=${selecting ? Boolean(chosen) : undefined} onClick=${onClick}>
    <${Crop} tracklet=${person.picture ?? person.crops[0]} label=${labelOf(person)} />
    <${Strip} minutes=${minutes} colour=${colourOf(person.id)} />
    <span class="body">
      <b>${labelOf(person)}</b>
      <span class=${here ? "good" : "quiet"} title=${utcOf(person.last)}>${where}</span>
      ${person.faded && html`<span class="quiet" title=${texts.people.fadedHelp}>${texts.people.faded}</span>`}
      <span class="quiet" title=${utcOf(person.first)}>${texts.people.since(momentOf(person.first))}</span>
      <span class="cams">${person.cameras.map((camera) => html`<em key=${camera}>${camera}</em>`)}</span>
      ${person.tags.length > 0 && html`<${Tags} tags=${person.tags} />`}
    </span>
  </button>`;
}

// When somebody was seen during the last hour, now at the right.
function Strip({ minutes, colour }) {
  const seen = [...(minutes ?? [])].sort((a, b) => a - b);
  return html`<svg class="stripe" viewBox="0 0 ${MINUTES} 1" preserveAspectRatio="none" role="img" aria-label=${texts.people.strip(seen.length)} style=${{ "--of-person": colour }}>
    <title>${texts.people.strip(seen.length)}</title>
    ${seen.map((minute) => html`<rect key=${minute} x=${minute} width="1.02" height="1" />`)}</svg>`;
}
