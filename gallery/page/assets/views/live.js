// The wall: every camera, everybody in it, now.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact-3.1.1.js";
import { may } from "../access.js";
import { get, people } from "../api.js";
import { LiveConnection } from "../connection.js";
import { useCalm, useEvents, useKeys, useLoaded, usePeopleChanged } from "../hooks.js";
import { Empty, Failed, Skeleton } from "../parts/states.js";
import { Chip, labelOf } from "../parts/person.js";
import { Tile } from "../parts/tile.js";
import { texts } from "../texts.js";
import { Start } from "./start.js";

const CAMERAS_MS = 2_000;
const MANY = 5; // cameras from which on quiet ones make room
const LAYOUTS = [[1, 1], [2, 2], [4, 2], [6, 3], [9, 3], [16, 4], [25, 5], [36, 6]]; // up to this many: columns

export function Live({ onPerson, go }) {
  const cameras = useLoaded(() => get("v1/cameras").then((answer) => answer.cameras), [], CAMERAS_MS);
  const here = useLoaded(() => get("v1/tracks?live=true&limit=1000").then((answer) => answer.tracks), [], CAMERAS_MS);
  const known = useLoaded(people, []);
  const learn = useCalm(known.reload);
  usePeopleChanged(known.reload);
  useEvents((event) => /created|merged|split|erased|updated/.test(event.kind) && learn(), []);
  const [options, setOptions] = useState({ boxes: true, trails: true, quiet: true });
  const [quiet, setQuiet] = useState(new Set());
  const [large, setLarge] = useState(null);
  const [connection, setConnection] = useState("open");
  const players = useRef(new Map());
  const shown = (cameras.value ?? []).filter((camera) => camera.enabled).slice(0, 36);
  const names = shown.map((camera) => camera.camera_id).join(",");
  useEffect(() => {
    if (!names) return undefined;
    const live = new LiveConnection(names.split(","), players.current, setConnection);
    return () => live.close();
  }, [names]);
  const persons = useMemo(() => new Map((known.value ?? []).map((person) => [person.id, person])), [known.value]);
  const nameOf = (number) => labelOf(persons.get(number) ?? { id: number });
  useKeys((event) => {
    const index = Number(event.key) - 1;
    if (event.key >= "1" && event.key <= "9" && shown[index]) setLarge((now) => (now === shown[index].camera_id ? null : shown[index].camera_id));
    else if (event.key === "Escape") setLarge(null);
    else if (event.key === "b") setOptions((now) => ({ ...now, boxes: !now.boxes }));
    else if (event.key === "t") setOptions((now) => ({ ...now, trails: !now.trails }));
    else if (event.key === "q") setOptions((now) => ({ ...now, quiet: !now.quiet }));
    else if (event.key === "f") document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  });

  if (cameras.loading) return html`<${Skeleton} kind="tiles" rows=${4} />`;
  if (!cameras.value) return html`<${Failed} error=${cameras.error} again=${cameras.reload} />`;
  if (!shown.length)
    return may("admin") && !cameras.value.length
      ? html`<${Start} path="" go=${go} onPerson=${onPerson} />`
      : html`<${Empty} title=${texts.live.noCameras} help=${texts.live.noCamerasHelp}>
          <button data-needs="admin" class="primary" onClick=${() => go("cameras/add")}>${texts.live.add}</button>
        <//>`;
  const present = [...new Map((here.value ?? []).filter((track) => track.identity != null && !persons.get(track.identity)?.hidden).map((track) => [track.identity, track])).values()];
  const many = shown.length >= MANY;
  const rests = (camera) => options.quiet && many && !large && quiet.has(camera.camera_id);
  const awake = shown.filter((camera) => !rests(camera)).length;
  const columns = large ? 1 : LAYOUTS.find(([most]) => (awake || shown.length) <= most)[1];
  const note = (name, is) => quiet.has(name) !== is && setQuiet((before) => {
    const next = new Set(before);
    is ? next.add(name) : next.delete(name);
    return next;
  });
  return html`<section class="live">
    <header class="tools">
      <strong>${texts.live.here(present.length)}</strong>
      <div class="chips">${present.slice(0, 12).map((track) => html`
        <${Chip} key=${track.identity} person=${persons.get(track.identity) ?? { id: track.identity }} onClick=${() => onPerson(track.identity)} />`)}
      </div>
      <span class="grow" />
      ${connection === "lost" && html`<span class="warn">${texts.live.lost}</span>`}
      ${many && html`<button class="toggle" aria-pressed=${options.quiet} title=${texts.live.quietHelp} onClick=${() => setOptions({ ...options, quiet: !options.quiet })}>${texts.live.quiet}</button>`}
      ${["boxes", "trails"].map((name) => html`
        <button class="toggle" aria-pressed=${options[name]} title=${`Key ${name[0].toUpperCase()}`}
          onClick=${() => setOptions({ ...options, [name]: !options[name] })}>${texts.live[name]}</button>`)}
    </header>
    <div class="wall ${large ? "one" : ""} ${awake < shown.length ? "mixed" : ""}" style=${{ "--columns": columns }}>
      ${shown.map((camera, i) => html`<div key=${camera.camera_id} class=${rests(camera) ? "small-one" : ""} hidden=${large && large !== camera.camera_id}>
        <${Tile} camera=${camera} players=${players.current} options=${options} nameOf=${nameOf} number=${i + 1} large=${large === camera.camera_id} quiet=${rests(camera)} onQuiet=${(is) => note(camera.camera_id, is)}
          onPerson=${onPerson} onEnlarge=${() => setLarge(large === camera.camera_id ? null : camera.camera_id)} />
      </div>`)}
    </div>
  </section>`;
}
