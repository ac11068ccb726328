// What people said, the last first, each with what became of it and how to take it back.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { may } from "../access.js";
import { get, post } from "../api.js";
import { useLoaded, usePeopleChanged } from "../hooks.js";
import { texts } from "../texts.js";
import { momentOf, utcOf } from "../time.js";
import { Empty, Failed, Skeleton } from "./states.js";
import { act, tellOthers } from "./toast.js";

const own = texts.journal;
const STEP = 50;
const EVERY_MS = 10_000; // others say something, too

// Of one person, or of all.
export function Journal({ id = null }) {
  const [limit, setLimit] = useState(STEP);
  const words = useLoaded(() => get(`v1/words?sort=newest&limit=${limit}${id === null ? "" : `&identity=${id}`}`), [id, limit], EVERY_MS);
  usePeopleChanged(words.reload);
  if (words.loading) return html`<${Skeleton} rows=${3} />`;
  if (!words.value) return html`<${Failed} error=${words.error} again=${words.reload} />`;
  const said = words.value.words.filter(({ kind }) => kind !== "undo");
  if (!said.length) return id === null ? html`<${Empty} title=${own.none} help=${own.noneHelp} />` : html`<p class="quiet">${own.noneOf}</p>`;
  const gone = new Set(said.filter(({ kind, state }) => kind === "erase" && state === "applied").flatMap(({ about }) => about));
  const isGone = ({ kind, about, identity }) => kind !== "erase" && [...about, identity].some((number) => gone.has(number)); // what it said went with them
  const undo = async (word) => {
    if (await act(texts.undone, async () => (await post(`v1/words/${word.id}/undo`), null))) tellOthers();
  };
  return html`<ol class="journal">${said.map((word) => html`<li key=${word.id} class=${word.state}>
      <div class="grow"><p>${isGone(word) ? own.gone : own.kinds[word.kind](word)}</p>
        <p class="quiet small"><time datetime=${word.time} title=${utcOf(word.time)}>${momentOf(word.time)}</time> · ${word.author}${word.reason && ` · ${word.reason}`}</p>
        ${word.kind === "erase" && word.state === "applied" && html`<${Proof} word=${word} />`}</div>
      ${word.state === "applied"
        ? word.kind !== "erase" && !isGone(word) && may("operator") && html`<button onClick=${() => undo(word)}>${texts.person.undo}</button>`
        : html`<em class="badge">${own.states[word.state]}</em>`}
    </li>`)}</ol>
    ${words.value.next && limit < 1000 && html`<p><button onClick=${() => setLimit(Math.min(limit * 2, 1000))}>${own.older}</button></p>`}`;
}

// What became of what was known of somebody, as far as it is known by now.
function Proof({ word }) {
  const [open, setOpen] = useState(false);
  return html`<div class="proof"><button class="plain link" aria-expanded=${open} onClick=${() => setOpen(!open)}>${own.proof}</button>
    ${open && html`<${Deleted} id=${word.id} />`}</div>`;
}

function Deleted({ id }) {
  const word = useLoaded(() => get(`v1/words/${id}`), [id], EVERY_MS);
  if (word.loading) return html`<${Skeleton} rows=${2} />`;
  if (!word.value) return html`<${Failed} error=${word.error} again=${word.reload} />`;
  const { erasure } = word.value;
  return html`<ul class="small">
    <li>${own.proofOf(erasure)}</li><li>${own.recordings(erasure.recordings)}</li><li>${own.retained(erasure.retained)}</li>
    ${erasure.retained?.topics.filter((one) => one.waits_for).map((one) => html`<li key=${one.topic}>${own.waits(one, one.until && momentOf(one.until))}</li>`)}
    ${erasure.not_reached.map((text) => html`<li key=${text} class="quiet">${text}</li>`)}</ul>`;
}
