// A secret that is shown this once, with a button that copies it.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { texts } from "../texts.js";

const own = texts.access;

export function Once({ title, secret, done }) {
  const [copied, setCopied] = useState(false);
  const copy = () => navigator.clipboard?.writeText(secret).then(() => setCopied(true), () => setCopied(false));
  return html`<div class="once" role="status">
    <p><b>${title}</b></p>
    <p class="buttons"><code>${secret}</code>${navigator.clipboard && html`<button onClick=${copy}>${copied ? own.copied : own.copy}</button>`}</p>
    <p class="quiet small">${own.onlyNow}</p>
    <button onClick=${done}>${own.noted}</button>
  </div>`;
}
