// A form that replaces one's own password.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { post } from "../api.js";
import { texts } from "../texts.js";

const own = texts.access;
const LEAST = 10;

export function NewPassword({ current, go, done }) {
  const [given, setGiven] = useState({ current: "", fresh: "", again: "" });
  const [error, setError] = useState("");
  const set = (field) => (event) => setGiven({ ...given, [field]: event.target.value });
  const submit = async (event) => {
    event.preventDefault();
    if (given.fresh !== given.again) return setError(own.notTwice);
    try {
      await post("v1/session/password", { current: given.current, new: given.fresh });
      setGiven({ current: "", fresh: "", again: "" });
      setError("");
      await done();
    } catch (failure) {
      setError(failure.message);
    }
    return undefined;
  };
  return html`<form onSubmit=${submit}>
    <label>${current}<input type="password" required autocomplete="current-password" value=${given.current} onInput=${set("current")} /></label>
    <label>${own.newPassword}<input type="password" required minlength=${LEAST} maxlength="256" autocomplete="new-password" value=${given.fresh} onInput=${set("fresh")} /><small>${own.passwordHelp(LEAST)}</small></label>
    <label>${own.again}<input type="password" required autocomplete="new-password" value=${given.again} onInput=${set("again")} /></label>
    ${error && html`<p class="refusal" role="alert">${error}</p>`}
    <div class="buttons"><button class="primary">${go}</button></div>
  </form>`;
}
