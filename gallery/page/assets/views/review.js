// What only a person can say: pairs who might be one, and tracks that may show somebody else. One key an answer.
import { html, useRef, useState } from "../vendor/htm-preact-3.1.1.js";
import { get, post, trackPath } from "../api.js";
import { useKeys, useLoaded } from "../hooks.js";
import { Journal } from "../parts/journal.js";
import { Chip, Crop } from "../parts/person.js";
import { Empty, Failed, Skeleton } from "../parts/states.js";
import { act } from "../parts/toast.js";
import { texts } from "../texts.js";

const own = texts.review;
const MOST_KEPT = 500;
const KEPT = "climbtrack-review"; // for this tab: what was answered or skipped, so that the queue keeps its place

const kept = () => {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
  } catch {
    return []; // not ours, or not allowed here
  }
};

export function Review({ path, go, onPerson }) {
  const tab = path === "journal" ? "journal" : "";
  return html`<header class="tools"><div class="tabs" role="tablist" aria-label=${texts.views.review}>${Object.entries(own.tabs).map(([name, label]) => html`
      <button key=${name} role="tab" aria-selected=${tab === name} onClick=${() => go(`review/${name}`)}>${label}</button>`)}</div></header>
    ${tab ? html`<${Journal} />` : html`<${Questions} onPerson=${onPerson} />`}`;
}

function Questions({ onPerson }) {
  const queue = useLoaded(() => get("v1/review?limit=100").then(questionsOf), []);
  const [done, setDone] = useState(kept); // {key, word}: what was answered or skipped, in order
  const latest = useRef(done); // as soon as it changes: a second key may come before the next picture
  const turn = useRef(Promise.resolve());
  const change = (now) => {
    latest.current = now;
    setDone(now);
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(now.slice(-MOST_KEPT)));
    } catch { /* without it, the queue begins anew after a reload */ }
  };
  const openAfter = (answers) => (queue.value ?? []).filter((question) => !answers.some(({ key }) => key === question.key));
  const open = openAfter(done);
  const [question] = open;
  // One after the other, each about the question that is open then: a key that is hit twice must not answer one twice.
  const inTurn = (action) => () => (turn.current = turn.current.then(() => action(openAfter(latest.current)[0])));
  const settle = ({ key }, word) => change([...latest.current, { key, word }]);
  const answer = async (asked, { message, path, body }) => {
    let word = null;
    if (await act(message, async () => {
      const said = await post(path, body);
      word = said.id;
      return said;
    })) settle(asked, word);
  };
  const undo = async () => {
    const last = latest.current.at(-1);
    if (!last) return;
    if (last.word === null || (await act(texts.undone, () => post(`v1/words/${last.word}/undo`)))) change(latest.current.slice(0, -1));
  };
  const keys = {
    m: inTurn((asked) => asked && answer(asked, asked.same)),
    n: inTurn((asked) => asked && answer(asked, asked.different)),
    s: inTurn((asked) => asked && settle(asked, null)),
    u: inTurn(undo),
  };
  useKeys((event) => keys[event.key.toLowerCase()]?.());
  if (queue.loading) return html`<${Skeleton} rows=${3} />`;
  if (!queue.value) return html`<${Failed} error=${queue.error} again=${queue.reload} />`;
  if (!question) return html`<${Empty} title=${own.none} help=${own.noneHelp}>${done.length > 0 && html`<button onClick=${keys.u}><kbd>U</kbd> ${own.undo}</button>`}<//>`;
  return html`<section class="review">
    <header class="tools"><strong>${question.ask}</strong><span class="quiet">${own.chance(question.probability)}</span>
      <span class="grow" /><span class="quiet num">${own.left(open.length)}${done.length > 0 && `, ${own.answered(done.length)}`}</span></header>
    <div class="pair"><${question.Left} onPerson=${onPerson} /><${Somebody} person=${question.right} onPerson=${onPerson} /></div>
    <div class="buttons center">
      <button class="primary" onClick=${keys.m}><kbd>M</kbd> ${own.same}</button>
      <button onClick=${keys.n}><kbd>N</kbd> ${own.different}</button>
      <button onClick=${keys.s}><kbd>S</kbd> ${own.skip}</button>
      <button disabled=${!done.length} onClick=${keys.u}><kbd>U</kbd> ${own.undo}</button>
    </div>
  </section>`;
}

function questionsOf({ pairs, doubts }) {
  const ofPairs = pairs.map(({ a, b, probability }) => ({
    key: `${a.id}/${b.id}`, ask: own.ask, probability, right: b,
    Left: (props) => html`<${Somebody} person=${a} ...${props} />`,
    same: { message: texts.said.merged([a.id, b.id]), path: `v1/identities/${a.id}/merge`, body: { with: [b.id] } },
    different: { message: texts.said.different(a.id, b.id), path: `v1/identities/${a.id}/different`, body: { from: b.id } },
  }));
  const ofDoubts = doubts.map(({ track, identity, probability, other }) => {
    const path = `v1/tracks/${trackPath(track.tracklet_id)}/move`;
    return {
      key: track.tracklet_id, ask: own.askTrack(identity), probability, right: { id: identity },
      Left: () => html`<div class="side"><b>${track.camera_id}</b><div class="strip"><${Crop} tracklet=${track.tracklet_id} label=${track.camera_id} /></div></div>`,
      same: { message: texts.said.is(identity), path: `v1/tracks/${trackPath(track.tracklet_id)}/confirm`, body: { identity } },
      different: { message: texts.said.isNot(identity, other), path, body: { to: other } },
    };
  });
  return [...ofPairs, ...ofDoubts];
}

// A person with some pictures; a number alone is looked up.
function Somebody({ person, onPerson }) {
  const known = useLoaded(() => (person.crops?.length > 1 ? person : get(`v1/identities/${person.id}`)), [person.id]);
  const shown = known.value ?? person;
  return html`<div class="side">
    <${Chip} person=${shown} onClick=${() => onPerson(person.id)} />
    <div class="strip">${(shown.crops ?? []).slice(0, 4).map((crop) => html`<${Crop} key=${crop} tracklet=${crop} label=${`#${person.id}`} />`)}</div>
    <p class="quiet">${(shown.cameras ?? []).join(", ")}</p>
  </div>`;
}
