// Testing the address of a camera: what it shows, or what is wrong, before anything is saved.
import { html, useEffect, useState } from "../vendor/htm-preact-3.1.1.js";
import { post } from "../api.js";
import { texts } from "../texts.js";

const own = texts.trying;

// {result, busy, test}: the result of the last test of this address; a changed address has none.
export function useTest(url) {
  const [state, setState] = useState({ url: "", busy: false, result: null });
  const test = async () => {
    setState({ url, busy: true, result: null });
    const result = await post("v1/cameras/test", { url }).catch((error) => ({ problem: error.message }));
    setState((now) => (now.url === url ? { url, busy: false, result } : now));
    return result;
  };
  const current = state.url === url;
  return { busy: current && state.busy, result: current ? state.result : null, test };
}

export function Tried({ busy, result }) {
  const [picture, setPicture] = useState("");
  const jpeg = result?.picture;
  useEffect(() => {
    if (!jpeg) return undefined;
    const bytes = Uint8Array.from(atob(jpeg), (letter) => letter.charCodeAt(0));
    const made = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    setPicture(made);
    return () => URL.revokeObjectURL(made);
  }, [jpeg]);
  if (busy) return html`<div class="tried skeleton" role="status" aria-busy="true"><span>${own.busy}</span></div>`;
  if (!result) return null;
  if (result.problem) return html`<p class="warn" role="alert">${own.failed(result.problem)}</p>`;
  return html`<figure class="tried" role="status">
    <img src=${picture} alt=${own.picture} />
    <figcaption class="num">${own.about(result)}</figcaption>
  </figure>`;
}
