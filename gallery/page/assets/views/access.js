// Who may use climbtrack: oneself, and for admins the users, the tokens and the audit log.
import { html } from "../vendor/htm-preact-3.1.1.js";
import { del } from "../api.js";
import { may, me } from "../access.js";
import { Audit } from "../parts/audit.js";
import { NewPassword } from "../parts/password.js";
import { Tokens } from "../parts/tokens.js";
import { act, toast } from "../parts/toast.js";
import { Users } from "../parts/users.js";
import { texts } from "../texts.js";

const own = texts.access;
const TABS = { "": Account, tokens: Tokens, users: Users, audit: Audit };
const FOR_ADMINS = ["users", "audit"];

export function AccessView({ path, go }) {
  const [tab = "", verb = ""] = path.split("/");
  const tabs = Object.keys(TABS).filter((name) => may("admin") || !FOR_ADMINS.includes(name));
  const chosen = tabs.includes(tab) ? tab : "";
  const View = TABS[chosen];
  return html`<section class="access">
    <header class="tools"><div class="tabs" role="tablist" aria-label=${texts.views.access}>${tabs.map((name) => html`
      <button role="tab" aria-selected=${chosen === name} onClick=${() => go(`access/${name}`)}>${own.tabs[name]}</button>`)}</div>
      <span class="grow" />${own.adds[chosen] && verb !== "add" && html`<button class="primary" onClick=${() => go(`access/${chosen}/add`)}>${own.adds[chosen]}</button>`}</header>
    <${View} adding=${verb === "add"} go=${go} />
  </section>`;
}

function Account({ go }) {
  const signOut = () => act(own.signedOut, () => del("v1/session")).then(() => me.sign_out ? location.assign(me.sign_out) : window.dispatchEvent(new Event("signed-out")));
  return html`<div class="stack narrow">
    <div class="panel who"><span class="face" aria-hidden="true">${(me.way === "open" ? "–" : me.name)[0].toUpperCase()}</span>
      <div class="grow"><h2>${me.way === "open" ? own.nobodySigns : html`${me.name} <em class="badge">${own.roles[me.role]}</em>`}</h2><p class="quiet">${me.way === "open" ? own.openHelp : own.mayDo[me.role]}</p>
        ${me.way !== "open" && html`<p class="quiet small">${own.ways[me.way]}</p>`}</div>
      ${me.way === "open" ? html`<button class="primary" onClick=${() => go("access/users/add")}>${own.firstUser}</button>` : me.way !== "proxy" && html`<button onClick=${signOut}>${own.signOut}</button>`}
    </div>
    ${me.way === "password" && html`<div class="panel form"><h2>${own.changePassword}</h2><${NewPassword} current=${own.currentPassword} go=${own.change} done=${() => toast(own.changed)} /></div>`}
  </div>`;
}
