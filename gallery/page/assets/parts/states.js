// Empty, loading and failed: the states that every view shares.
import { html } from "../vendor/htm-preact-3.1.1.js";
import { texts } from "../texts.js";

export function Empty({ title, help, children }) {
  return html`<div class="empty"><h2>${title}</h2><p>${help}</p>${children}</div>`;
}

export function Failed({ error, again }) {
  return html`<div class="broken" role="alert">
    <strong>${texts.errors.title}</strong> <span>${error.message}</span>
    ${again && html`<button onClick=${again}>${texts.errors.again}</button>`}
  </div>`;
}

export function Skeleton({ rows = 3, kind = "row" }) {
  return html`<div class="skeletons ${kind}" role="status" aria-busy="true" aria-label=${texts.loading}>
    ${Array.from({ length: rows }, () => html`<div class="skeleton" />`)}
  </div>`;
}
