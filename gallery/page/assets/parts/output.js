// Where alerts are sent: each webhook with its state, and the form of one.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { del, post, put } from "../api.js";
import { texts } from "../texts.js";
import { act } from "./toast.js";

const own = texts.alerts;
const secret = () => Array.from(crypto.getRandomValues(new Uint8Array(24)), (byte) => byte.toString(16).padStart(2, "0")).join("");
export const idOf = (name, taken) => {
  const plain = name.normalize("NFD").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "").toLowerCase().slice(0, 40) || "one";
  return taken.includes(plain) ? `${plain}-${Math.random().toString(36).slice(2, 7)}` : plain;
};

export function Output({ output, reload }) {
  const [asking, setAsking] = useState(false);
  const remove = async () => (await act(own.outputDeleted(output.name), () => del(`v1/alert-outputs/${output.output_id}`))) && reload();
  const again = async () => (await act(own.sentAgain, () => post(`v1/alert-outputs/${output.output_id}/retry`))) && reload();
  const flip = async () => {
    const { name, certificate, enabled } = output;
    await act(enabled ? own.off(name) : own.on(name), () => put(`v1/alert-outputs/${output.output_id}`, { name, certificate, enabled: !enabled }));
    reload();
  };
  const state = output.dead ? "failed" : output.error ? "degraded" : output.enabled ? "live" : "";
  return html`<li class="panel output">
    <div class="grow"><h2 class="of-row"><i class="dot ${state}" /> ${output.name} <small>${output.url}</small></h2>
      <p class="quiet num">${output.enabled ? own.outputState(output) : own.isOff}</p>
      ${output.error && html`<p class="warn">${output.error}</p>`}</div>
    <div class="buttons">${output.dead > 0 && html`<button data-needs="operator" onClick=${again}>${own.sendAgain(output.dead)}</button>`}
      <button data-needs="admin" onClick=${flip}>${output.enabled ? own.switchOff : own.switchOn}</button>
      ${asking ? html`<span class="ask">${own.deleteAsk(output.name)} <button class="danger solid" onClick=${remove}>${own.remove}</button> <button onClick=${() => setAsking(false)}>${own.cancel}</button></span>`
        : html`<button data-needs="admin" class="danger" onClick=${() => setAsking(true)}>${own.remove}</button>`}</div>
  </li>`;
}

export function OutputForm({ taken, done }) {
  const [draft, setDraft] = useState(() => ({ name: "", url: "", secret: secret(), certificate: "" }));
  const [error, setError] = useState("");
  const set = (field) => (event) => setDraft({ ...draft, [field]: event.target.value.trim() });
  const save = async (event) => {
    event.preventDefault();
    try {
      await put(`v1/alert-outputs/${idOf(draft.name, taken)}`, draft);
      done();
    } catch (failure) {
      setError(failure.message);
    }
  };
  return html`<form class="panel form" onSubmit=${save}>
    <label>${own.name}<input required maxlength="60" onInput=${set("name")} placeholder=${own.outputName} /></label>
    <label>${own.address}<input required type="url" onInput=${set("url")} placeholder="https://…" spellcheck="false" autocomplete="off" /></label>
    <label>${own.secret}<input required minlength="16" value=${draft.secret} onInput=${set("secret")} spellcheck="false" autocomplete="off" /><small>${own.secretHelp}</small></label>
    <label>${own.certificate}<input pattern="[0-9a-f]{64}" onInput=${set("certificate")} spellcheck="false" autocomplete="off" /><small>${own.certificateHelp}</small></label>
    ${error && html`<p class="warn" role="alert">${error}</p>`}
    <div class="buttons"><button class="primary">${own.save}</button> <button type="button" onClick=${done}>${own.cancel}</button></div>
  </form>`;
}
