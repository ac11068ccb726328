// What is wrong with cameras, each cause once, and a line about it above every view that does not show it anyway.
import { html } from "../vendor/htm-preact-3.1.1.js";
import { get } from "../api.js";
import { useLoaded } from "../hooks.js";
import { texts } from "../texts.js";
import { stateOf } from "./tile.js";

const own = texts.health;
const EVERY_MS = 10_000;
const TELL_THEMSELVES = ["health", "cameras", "start"];
const NAMED = 3; // cameras of one cause

// {cause, names}; a cause names its remedy.
export function causesOf(cameras) {
  const found = new Map();
  for (const camera of cameras.filter((one) => one.enabled)) {
    const state = stateOf(camera);
    const cause = camera.source?.cause || (state === "degraded" ? camera.state.degraded : "");
    const kind = cause.replace(/\d+(\.\d+)?/g, "#"); // two shares of one worker, read at different times, are one cause
    if (cause) found.set(kind, { cause, names: [...(found.get(kind)?.names ?? []), camera.camera_id] });
  }
  return [...found.values()];
}

// Settings and commands, which the messages of the services have between backquotes.
export const Words = ({ of }) => of.split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));

export const listOf = (names) => (names.length > NAMED ? own.several(names.slice(0, NAMED - 1), names.length - NAMED + 1) : names.join(", "));

// A worker that keeps up with most frames follows people as well: that is for Health to tell.
const KEPT_UP = 0.5;
const isGrave = (camera) => stateOf(camera) !== "degraded" || camera.state.analysed_fps < KEPT_UP * camera.state.wanted_fps;

export function Banner({ view }) {
  const cameras = useLoaded(() => get("v1/cameras").then((answer) => answer.cameras), [], EVERY_MS);
  const causes = causesOf((cameras.value ?? []).filter(isGrave));
  if (!causes.length || TELL_THEMSELVES.includes(view)) return null;
  return html`<p class="banner" role="status"><i class="dot degraded" aria-hidden="true" /><span>${own.troubled(listOf(causes.flatMap((one) => one.names)))}</span> <a href="#/health">${own.see}</a></p>`;
}
