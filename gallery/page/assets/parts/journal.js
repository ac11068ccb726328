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
        <p class="quiet small"><time datetime=${word.time} title=${utcOf(word.time)}>${momentOf(word.time)}</time> · ${word.author}${word.reason && ` · ${word.reason}`}</p></div>
      ${word.state === "applied"
        ? word.kind !== "erase" && !isGone(word) && may("operator") && html`<button onClick=${() => undo(word)}>${texts.person.undo}</button>`
        : html`<em class="badge">${own.states[word.state]}</em>`}
    </li>`)}</ol>
    ${words.value.next && limit < 1000 && html`<p><button onClick=${() => setLimit(Math.min(limit * 2, 1000))}>${own.older}</button></p>`}`;
}
