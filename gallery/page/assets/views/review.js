// Pairs of people who might be one, the most useful first; one key an answer, and it keeps its place.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { get, post } from "../api.js";
import { useKeys, useLoaded } from "../hooks.js";
import { Chip, Crop } from "../parts/person.js";
import { Empty, Failed, Skeleton } from "../parts/states.js";
import { act } from "../parts/toast.js";
import { texts } from "../texts.js";

const own = texts.review;

export function Review({ onPerson }) {
  const queue = useLoaded(() => get("v1/review").then((answer) => answer.pairs ?? answer.review ?? []), []);
  const [skipped, setSkipped] = useState(new Set());
  const [words, setWords] = useState([]);
  const pairs = (queue.value ?? []).filter((pair) => !skipped.has(keyOf(pair)));
  const [pair] = pairs;
  const answer = async (message, path, body) => {
    const before = pair;
    const told = await act(message, async () => {
      const said = await post(path, body);
      setWords((all) => [...all, said.id]);
      return said;
    });
    if (told) setSkipped((all) => new Set(all).add(keyOf(before)));
  };
  const same = () => pair && answer(`#${pair.a.id} and #${pair.b.id} are one person`, `v1/identities/${pair.a.id}/merge`, { with: [pair.b.id] });
  const different = () => pair && answer(`#${pair.a.id} and #${pair.b.id} are different people`, `v1/identities/${pair.a.id}/different`, { from: pair.b.id });
  const skip = () => pair && setSkipped((all) => new Set(all).add(keyOf(pair)));
  const undo = async () => {
    const last = words.at(-1);
    if (last == null) return;
    if (await act(texts.undone, () => post(`v1/words/${last}/undo`))) {
      setWords((all) => all.slice(0, -1));
      setSkipped(new Set([...skipped].slice(0, -1)));
      queue.reload();
    }
  };
  useKeys((event) => ({ m: same, n: different, s: skip, u: undo })[event.key.toLowerCase()]?.());
  if (queue.loading) return html`<${Skeleton} rows=${3} />`;
  if (!queue.value) return html`<${Failed} error=${queue.error} again=${queue.reload} />`;
  if (!pair) return html`<${Empty} title=${own.none} help=${own.noneHelp} />`;
  return html`<section class="review">
    <header class="tools"><strong>${own.ask}</strong><span class="quiet">${own.chance(pair.probability)}</span><span class="grow" /><span class="quiet num">${own.left(pairs.length)}</span></header>
    <div class="pair">${[pair.a, pair.b].map((person) => html`<div class="side" key=${person.id}>
      <${Chip} person=${person} onClick=${() => onPerson(person.id)} />
      <div class="strip">${(person.crops ?? []).slice(0, 4).map((crop) => html`<${Crop} key=${cropOf(crop)} tracklet=${cropOf(crop)} label=${`#${person.id}`} />`)}</div>
      <p class="quiet">${(person.cameras ?? []).join(", ")}</p>
    </div>`)}</div>
    <div class="buttons center">
      <button class="primary" onClick=${same}><kbd>M</kbd> ${own.same}</button>
      <button onClick=${different}><kbd>N</kbd> ${own.different}</button>
      <button onClick=${skip}><kbd>S</kbd> ${own.skip}</button>
      <button disabled=${!words.length} onClick=${undo}><kbd>U</kbd> ${own.undo}</button>
    </div>
  </section>`;
}

const keyOf = (pair) => `${pair.a.id}/${pair.b.id}`;
const cropOf = (crop) => (typeof crop === "string" ? crop : crop.tracklet_id);
