// A person's number or name, in the person's colour, and pictures of people.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { cropUrl } from "../api.js";
import { colourOf } from "../colour.js";
import { texts } from "../texts.js";

export const labelOf = (person) => person.name || `#${person.id}`;

export function Chip({ person, onClick }) {
  const Tag = onClick ? "button" : "span";
  return html`<${Tag} class="chip" onClick=${onClick}>
    <i style=${{ background: colourOf(person.id) }} aria-hidden="true" /><b>${labelOf(person)}</b>
    ${person.name && html`<small>#${person.id}</small>`}
  <//>`;
}

export const Tags = ({ tags }) => html`<span class="tags">${tags.map((tag) => html`<em key=${tag}>${tag}</em>`)}</span>`;

export function Crop({ tracklet, label = "", onClick }) {
  const [lost, setLost] = useState(false);
  const picture = tracklet && !lost
    ? html`<img src=${cropUrl(tracklet)} alt=${label} loading="lazy" onError=${() => setLost(true)} />`
    : html`<span class="nobody" role="img" aria-label=${label || texts.noPicture} />`;
  return onClick ? html`<button class="crop" onClick=${onClick} title=${label}>${picture}</button>` : html`<span class="crop">${picture}</span>`;
}
