// What was just done, and for ten seconds how to undo it.
import { html, useEffect, useState } from "../vendor/htm-preact-3.1.1.js";
import { post } from "../api.js";
import { texts } from "../texts.js";

const SHOWN_MS = 10_000;
let show = () => {};

export function toast(message, { word = null, bad = false } = {}) {
  show({ message, word, bad, key: Math.random() });
}

// Run an action of a person's; say what happened, offer the undo, and return whether it worked.
export async function act(message, action) {
  try {
    const answer = await action();
    toast(message, { word: answer?.kind ? answer.id : null });
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
      await post(`v1/words/${shown.word}/undo`);
      setShown({ message: texts.undone, key: Math.random() });
      window.dispatchEvent(new Event("people-changed"));
    } catch (error) {
      setShown({ message: error.message, bad: true, key: Math.random() });
    }
  };
  return html`<div class="toasts" role="status" aria-live="polite">
    ${shown && html`<div class="toast ${shown.bad ? "bad" : ""}" key=${shown.key}>
      <span>${shown.message}</span>
      ${shown.word != null && html`<button onClick=${undo}>${texts.person.undo}</button>`}
      <button class="plain" aria-label=${texts.close} onClick=${() => setShown(null)}>×</button>
    </div>`}
  </div>`;
}
