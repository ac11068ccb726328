import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { post } from "../api.js";
import { texts } from "../texts.js";

const own = texts.signIn;

export function SignIn({ done }) {
  const [token, setToken] = useState("");
  const [error, setError] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    try {
      await post("v1/session", { token });
      done();
    } catch (failure) {
      setError(failure.message);
    }
  };
  return html`<main class="signin"><form class="panel form" onSubmit=${submit}>
    <h1>climbtrack</h1><p class="quiet">${own.explain}</p>
    <label>${own.token}<input type="password" required autofocus autocomplete="current-password" value=${token} onInput=${(e) => setToken(e.target.value)} /></label>
    ${error && html`<p class="warn" role="alert">${error}</p>`}
    <button class="primary">${own.go}</button>
  </form></main>`;
}
