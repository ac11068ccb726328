// API tokens: one's own, and for admins those of everybody.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { del, get, post } from "../api.js";
import { may, me, roles } from "../access.js";
import { useLoaded } from "../hooks.js";
import { texts } from "../texts.js";
import { momentOf, utcOf } from "../time.js";
import { Once } from "./once.js";
import { Empty, Failed, Skeleton } from "./states.js";
import { act } from "./toast.js";

const own = texts.access;
const DAYS = [30, 90, 365, 0];

export function Tokens({ adding, go }) {
  const tokens = useLoaded(() => get("v1/tokens").then((answer) => answer.tokens), []);
  const [shown, setShown] = useState(null);
  if (tokens.loading) return html`<${Skeleton} rows=${3} />`;
  if (!tokens.value) return html`<${Failed} error=${tokens.error} again=${tokens.reload} />`;
  const close = () => go("access/tokens");
  const made = (token) => {
    close();
    setShown({ title: own.tokenOf(token.name), secret: token.token });
    tokens.reload();
  };
  return html`<div class="stack">
    ${shown && html`<${Once} ...${shown} done=${() => setShown(null)} />`}
    ${adding && html`<${TokenForm} done=${made} cancel=${close} />`}
    ${!tokens.value.length && !adding && !shown && html`<${Empty} title=${own.noTokens} help=${own.noTokensHelp}><button class="primary" onClick=${() => go("access/tokens/add")}>${own.makeToken}</button><//>`}
    ${tokens.value.length > 0 && html`<ul class="rows-list">${tokens.value.map((token) => html`<${Row} key=${token.id} token=${token} reload=${tokens.reload} />`)}</ul>`}
  </div>`;
}

function Row({ token, reload }) {
  const [asking, setAsking] = useState(false);
  const revoke = async () => (await act(own.revoked(token.name), () => del(`v1/tokens/${token.id}`))) && reload();
  const over = token.expires && Date.parse(token.expires) <= Date.now();
  return html`<li>
    <div class="grow"><b>${token.name}</b> <em class="badge">${own.roles[token.role]}</em>
      <p class="small ${over ? "warn" : "quiet"}" title=${token.expires ? utcOf(token.expires) : ""}>${token.owner ?? own.service} · ${over ? own.expired : token.expires ? own.expires(momentOf(token.expires)) : own.never} · ${token.id}</p></div>
    ${asking
      ? html`<span class="ask">${own.revokeAsk(token.name)} <button class="danger solid" onClick=${revoke}>${own.revoke}</button> <button onClick=${() => setAsking(false)}>${own.cancel}</button></span>`
      : html`<button class="danger" onClick=${() => setAsking(true)}>${own.revoke}</button>`}
  </li>`;
}

function TokenForm({ done, cancel }) {
  const [given, setGiven] = useState({ name: "", role: "viewer", days: 90, service: me.way === "open" || me.way === "token" });
  const [error, setError] = useState("");
  const save = async (event) => {
    event.preventDefault();
    try {
      done(await post("v1/tokens", { ...given, days: given.days || null }));
    } catch (failure) {
      setError(failure.message);
    }
  };
  return html`<form class="panel form" onSubmit=${save}>
    <label>${own.tokenName}<input required autofocus maxlength="64" autocapitalize="none" spellcheck="false" autocomplete="off" placeholder=${own.tokenExample} value=${given.name} onInput=${(e) => setGiven({ ...given, name: e.target.value })} /></label>
    <label>${own.role}<select value=${given.role} onChange=${(e) => setGiven({ ...given, role: e.target.value })}>${roles().map((role) => html`<option value=${role}>${own.roles[role]}: ${own.roleHelp[role]}</option>`)}</select></label>
    <label>${own.lasts}<select value=${given.days} onChange=${(e) => setGiven({ ...given, days: Number(e.target.value) })}>${DAYS.map((days) => html`<option value=${days}>${days ? own.days(days) : own.never}</option>`)}</select></label>
    ${may("admin") && html`<label class="choice"><input type="checkbox" checked=${given.service} disabled=${me.way !== "password" && me.way !== "proxy"} onChange=${(e) => setGiven({ ...given, service: e.target.checked })} /><span>${own.ofService}</span></label>`}
    ${error && html`<p class="refusal" role="alert">${error}</p>`}
    <div class="buttons"><button class="primary">${own.makeToken}</button> <button type="button" onClick=${cancel}>${own.cancel}</button></div>
  </form>`;
}
