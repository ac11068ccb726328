// The users of the site: add, change and remove them.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { del, get, post } from "../api.js";
import { me } from "../access.js";
import { useLoaded } from "../hooks.js";
import { texts } from "../texts.js";
import { momentOf, utcOf } from "../time.js";
import { Once } from "./once.js";
import { Empty, Failed, Skeleton } from "./states.js";
import { act } from "./toast.js";

const own = texts.access;
const ROLES = ["viewer", "operator", "admin"];

export function Users({ adding, go }) {
  const users = useLoaded(() => get("v1/users").then((answer) => answer.users), []);
  const [shown, setShown] = useState(null); // {title, secret}
  if (users.loading) return html`<${Skeleton} rows=${3} />`;
  if (!users.value) return html`<${Failed} error=${users.error} again=${users.reload} />`;
  const close = () => go("access/users");
  const added = (user) => {
    close();
    if (user.one_time_password) setShown({ title: own.oneTimeOf(user.name), secret: user.one_time_password });
    users.reload();
  };
  return html`<div class="stack">
    ${shown && html`<${Once} ...${shown} done=${() => setShown(null)} />`}
    ${adding && (users.value.length ? html`<${UserForm} done=${added} cancel=${close} />` : html`<${FirstUser} cancel=${close} />`)}
    ${!users.value.length && !adding && html`<${Empty} title=${own.noUsers} help=${own.noUsersHelp}><button class="primary" onClick=${() => go("access/users/add")}>${own.firstUser}</button><//>`}
    ${users.value.length > 0 && html`<ul class="rows-list">${users.value.map((user) => html`<${Row} key=${user.name} user=${user} reload=${users.reload} show=${setShown} />`)}</ul>`}
  </div>`;
}

function Row({ user, reload, show }) {
  const [asking, setAsking] = useState("");
  const change = async (event) => {
    const select = event.target;
    const changed = await act(own.isNow(user.name, own.roles[select.value]), () => post(`v1/users/${user.name}/role`, { role: select.value }));
    if (!changed) select.value = user.role;
    reload();
  };
  const remove = async () => (await act(own.removed(user.name), () => del(`v1/users/${user.name}`))) && reload();
  const reset = async () => {
    setAsking("");
    await act(own.reset(user.name), async () => {
      const { one_time_password: secret } = await post(`v1/users/${user.name}/password`);
      show({ title: own.oneTimeOf(user.name), secret });
    });
    reload();
  };
  return html`<li>
    <div class="grow"><b>${user.name}</b>${user.name === me.name && html` <em class="badge">${own.you}</em>`}
      <p class="quiet small" title=${utcOf(user.created)}>${user.must_change ? own.mustChange : own.since(momentOf(user.created))}</p></div>
    ${asking
      ? html`<span class="ask">${asking === "remove" ? own.removeAsk(user.name) : own.resetAsk(user.name)}
          <button class="danger solid" onClick=${asking === "remove" ? remove : reset}>${own[asking]}</button> <button onClick=${() => setAsking("")}>${own.cancel}</button></span>`
      : html`<div class="buttons">
          <select class="role" aria-label=${own.roleOf(user.name)} value=${user.role} onChange=${change}>${ROLES.map((role) => html`<option value=${role} selected=${role === user.role}>${own.roles[role]}</option>`)}</select>
          <button onClick=${() => setAsking("resetPassword")}>${own.resetPassword}</button>
          <button class="danger" onClick=${() => setAsking("remove")}>${own.remove}</button></div>`}
  </li>`;
}

// The first user is whoever sits here: they choose their password at once, and are signed in.
function FirstUser({ cancel }) {
  const [given, setGiven] = useState({ name: "", password: "", again: "" });
  const [error, setError] = useState("");
  const set = (field) => (event) => setGiven({ ...given, [field]: event.target.value });
  const save = async (event) => {
    event.preventDefault();
    const { name, password, again } = given;
    if (password !== again) return setError(own.notTwice);
    try {
      const user = await post("v1/users", { name, role: "admin", password });
      await post("v1/session", { user: user.name, password });
      location.hash = "#/access";
      window.dispatchEvent(new Event("signed-out")); // from now on one has to be signed in
    } catch (failure) {
      setError(failure.message);
    }
    return undefined;
  };
  return html`<form class="panel form" onSubmit=${save}>
    <p class="quiet">${own.firstHelp}</p>
    <label>${own.name}<input required autofocus maxlength="64" autocapitalize="none" spellcheck="false" autocomplete="username" value=${given.name} onInput=${set("name")} /><small>${own.nameHelp}</small></label>
    <label>${own.password}<input type="password" required minlength="10" maxlength="256" autocomplete="new-password" value=${given.password} onInput=${set("password")} /><small>${own.passwordHelp(10)}</small></label>
    <label>${own.passwordAgain}<input type="password" required autocomplete="new-password" value=${given.again} onInput=${set("again")} /></label>
    ${error && html`<p class="refusal" role="alert">${error}</p>`}
    <div class="buttons"><button class="primary">${own.addFirst}</button> <button type="button" onClick=${cancel}>${own.cancel}</button></div>
  </form>`;
}

function UserForm({ done, cancel }) {
  const [given, setGiven] = useState({ name: "", role: "viewer" });
  const [error, setError] = useState("");
  const save = async (event) => {
    event.preventDefault();
    try {
      done(await post("v1/users", given));
    } catch (failure) {
      setError(failure.message);
    }
  };
  return html`<form class="panel form" onSubmit=${save}>
    <label>${own.name}<input required autofocus maxlength="64" autocapitalize="none" spellcheck="false" autocomplete="off" value=${given.name} onInput=${(e) => setGiven({ ...given, name: e.target.value })} /><small>${own.nameHelp}</small></label>
    <fieldset><legend>${own.role}</legend>${ROLES.map((role) => html`<label class="choice">
      <input type="radio" name="role" checked=${given.role === role} onChange=${() => setGiven({ ...given, role })} /><span><b>${own.roles[role]}</b> ${own.roleHelp[role]}</span></label>`)}</fieldset>
    ${error && html`<p class="refusal" role="alert">${error}</p>`}
    <div class="buttons"><button class="primary">${own.addUser}</button> <button type="button" onClick=${cancel}>${own.cancel}</button></div>
  </form>`;
}
