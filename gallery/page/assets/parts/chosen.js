// What an operator can say about the sightings that were chosen: they show somebody new, or somebody who is known.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { post, trackPath } from "../api.js";
import { texts } from "../texts.js";
import { labelOf } from "./person.js";
import { Picker } from "./picker.js";
import { act } from "./toast.js";

const own = texts.person;

// What is said of a part of a track is said of all of it.
const oneOfEachTrack = (tracklets) => [...new Map(tracklets.map((tracklet) => [tracklet.replace(/\/[^/]*$/, ""), tracklet])).values()];

export function Chosen({ person, sightings, clear }) {
  const [choosing, setChoosing] = useState(false);
  if (!sightings.length) return null;
  const tracklets = sightings.flatMap((one) => one.tracklets);
  const finish = (worked) => { if (worked) { setChoosing(false); clear(); } };
  const split = async () => finish(await act(texts.said.split(tracklets.length, labelOf(person)), () => post(`v1/identities/${person.id}/split`, { tracklets })));
  const move = async (other) => finish(await act(texts.said.moved(sightings.length, labelOf(other)), async () => {
    const words = [];
    for (const tracklet of oneOfEachTrack(tracklets)) words.push(await post(`v1/tracks/${trackPath(tracklet)}/move`, { to: other.id }));
    return words;
  }));
  return html`<div class="chosen-bar" data-needs="operator">
    <p>${own.chosenSightings(sightings.length)}</p>
    <div class="buttons">
      <button class="primary" onClick=${split}>${own.split}</button>
      <button aria-expanded=${choosing} onClick=${() => setChoosing(!choosing)}>${own.isKnown}</button>
      <button class="plain" onClick=${clear}>${texts.cameras.cancel}</button>
    </div>
    ${choosing && html`<${Picker} title=${own.isKnown} person=${person} choose=${move} cancel=${() => setChoosing(false)} />`}
  </div>`;
}
