// What was just done, and for ten seconds how to undo it.
import { html, useEffect, useState } from "../vendor/htm-preact-3.1.1.js";
import { post } from "../api.js";
import { texts } from "../texts.js";

const SHOWN_MS = 10_000;
let show = () => {};

export function toast(message, { words = [], bad = false } = {}) {
  show({ message, words, bad, key: Math.random() });
}

export const tellOthers = () => window.dispatchEvent(new Event("people-changed")); // parts of the page that show people

// Run an action of a person's; say what happened, offer the undo of the words it returns, and return whether it worked.
export async function act(message, action) {
  try {
    const answer = await action();
    const words = [answer].flat().filter((one) => one?.kind).map((word) => word.id);
    toast(message, { words });
    if (words.length) tellOthers();
    return true;
  } catch (error) {
    toast(error.message, { bad: true });
    return false;
  }
}

export function Toasts() {
  const [shown, setShown] = useState(null);
  show = setShown;
  useEffect(() => {
    if (!shown) return undefined;
    const timer = setTimeout(() => setShown(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [shown]);
  const undo = async () => {
    try {
      for (const word of [...shown.words].reverse()) await post(`v1/words/${word}/undo`);
      toast(texts.undone);
      tellOthers();
    } catch (error) {
      toast(error.message, { bad: true });
    }
  };
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown && html`<div class="toast ${shown.bad ? "bad" : ""}" key=${shown.key}>
      <span>${shown.message}</span>
      ${shown.words.length > 0 && html`<button onClick=${undo}>${texts.person.undo}</button>`}
      <button class="plain" aria-label=${texts.close} onClick=${() => setShown(null)}>×</button>
    </div>`}
  </div>`;
}
