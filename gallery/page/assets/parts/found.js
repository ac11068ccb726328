// The cameras of the network, for whoever adds one: a click takes the address of a stream.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { post } from "../api.js";
import { texts } from "../texts.js";

const own = texts.finding;
const withLogin = (url, { user, password }) => (user ? url.replace("USER:PASSWORD@", `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`) : url);

export function Found({ choose }) {
  const [state, setState] = useState({ busy: false, cameras: null, error: "" });
  const [login, setLogin] = useState({ user: "", password: "" });
  const find = async () => {
    setState({ busy: true, cameras: null, error: "" });
    try {
      setState({ busy: false, cameras: (await post("v1/cameras/discover", login)).cameras, error: "" });
    } catch (failure) {
      setState({ busy: false, cameras: null, error: failure.message });
    }
  };
  const { busy, cameras, error } = state;
  const set = (field) => (event) => setLogin({ ...login, [field]: event.target.value });
  return html`<div class="finding">
    <button type="button" disabled=${busy} onClick=${find}>${cameras ? own.again : own.find}</button>
    ${busy && html`<p class="quiet" role="status">${own.busy}</p>`}
    ${error && html`<p class="warn" role="alert">${error}</p>`}
    ${cameras?.length === 0 && html`<p class="quiet" role="status">${own.none}</p>`}
    ${cameras?.length > 0 && html`<ul class="found-list">${cameras.map((camera) => html`<li key=${camera.name}>
      <b>${camera.model || camera.name}</b> <span class="quiet num">${camera.host}</span>
      ${camera.problem && html`<p class="warn">${camera.problem}</p>`}
      <div class="buttons">${camera.streams.map((stream) => html`<button key=${stream.url} type="button" onClick=${() => choose(withLogin(stream.url, login), camera.name)}>${own.stream(stream)}</button>`)}</div>
    </li>`)}</ul>`}
    ${cameras?.some((camera) => camera.login) && html`<fieldset class="login"><legend>${own.login}</legend>
      <label>${own.user}<input autocomplete="off" spellcheck="false" maxlength="256" value=${login.user} onInput=${set("user")} /></label>
      <label>${own.password}<input type="password" autocomplete="off" maxlength="256" value=${login.password} onInput=${set("password")} /></label>
    </fieldset>`}
  </div>`;
}
