// Signing in, with a user or a token, and choosing a password instead of the one-time password.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { base, post } from "../api.js";
import { me } from "../access.js";
import { NewPassword } from "../parts/password.js";
import { texts } from "../texts.js";

const own = texts.signIn;

export function SignIn({ done }) {
  if (me.must_change) return html`<${Welcome} done=${done} />`;
  return html`<${Credentials} done=${done} />`;
}

function Credentials({ done }) {
  const [byToken, setByToken] = useState(false);
  const [given, setGiven] = useState({ user: "", password: "", token: "" });
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const set = (field) => (event) => setGiven({ ...given, [field]: event.target.value });
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      await post("v1/session", byToken ? { token: given.token } : { user: given.user, password: given.password });
      await done();
    } catch (failure) {
      setError(failure.message);
    }
    setBusy(false);
  };
  return html`<${Frame}><form onSubmit=${submit}>
    <p class="quiet">${byToken ? own.explainToken : own.explain}</p>
    ${byToken
      ? html`<label key="token">${own.token}<input type="password" required autofocus autocomplete="off" value=${given.token} onInput=${set("token")} /></label>`
      : html`<label key="user">${own.user}<input required autofocus maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false" value=${given.user} onInput=${set("user")} /></label>
        <label key="password">${own.password}<input type="password" required maxlength="256" autocomplete="current-password" value=${given.password} onInput=${set("password")} /></label>`}
    ${error && html`<p class="refusal" role="alert">${error}</p>`}
    <button class="primary" disabled=${busy}>${busy ? own.checking : own.go}</button>
    ${me.provider && html`<a class="go" href=${new URL("v1/session/oidc", base).href}>${own.provider(new URL(me.provider).host)}</a>`}
    <button type="button" class="link" onClick=${() => { setByToken(!byToken); setError(""); }}>${byToken ? own.byUser : own.byToken}</button>
  </form><//>`;
}

function Welcome({ done }) {
  return html`<${Frame}><p class="quiet">${own.welcome(me.name)}</p><${NewPassword} current=${own.oneTime} go=${own.choose} done=${done} /><//>`;
}

function Frame({ children }) {
  return html`<main class="signin"><div class="panel">
    <h1><img src="assets/icon.svg" alt="" width="28" height="28" /> climbtrack</h1>${children}
  </div></main>`;
}
