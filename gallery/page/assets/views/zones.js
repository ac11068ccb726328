// Areas and lines of one camera, drawn on its picture.
import { html, useEffect, useState } from "../vendor/htm-preact-3.1.1.js";
import { base, del, get, put } from "../api.js";
import { useLoaded } from "../hooks.js";
import { Drawing } from "../parts/drawing.js";
import { idOf } from "../parts/output.js";
import { Failed, Skeleton } from "../parts/states.js";
import { act } from "../parts/toast.js";
import { ZoneHours } from "../parts/zone_hours.js";
import { texts } from "../texts.js";

const own = texts.zones;
const COLOURS = 8;
const STARTS = { area: [[0.3, 0.35], [0.7, 0.35], [0.7, 0.85], [0.3, 0.85]], line: [[0.5, 0.9], [0.5, 0.35]] };

export function Zones({ camera, go }) {
  const known = useLoaded(() => get("v1/zones").then(({ zones }) => zones), [camera]);
  const [draft, setDraft] = useState(null);
  const [error, setError] = useState("");
  if (known.loading) return html`<${Skeleton} rows=${3} />`;
  if (!known.value) return html`<${Failed} error=${known.error} again=${known.reload} />`;
  const saved = known.value.filter((zone) => zone.camera_id === camera);
  const shown = draft ? [...saved.filter((zone) => zone.zone_id !== draft.zone_id), draft] : saved;
  const change = (fields) => { setDraft({ ...draft, ...fields }); setError(""); };
  const choose = (id) => { setDraft(saved.find((zone) => zone.zone_id === id)); setError(""); };
  const start = (kind) => { setDraft({ zone_id: "", name: "", camera_id: camera, kind, points: STARTS[kind], colour: known.value.length % COLOURS }); setError(""); };
  const save = async (event) => {
    event.preventDefault();
    const { zone_id: id, ...body } = { ...draft, name: draft.name.trim() };
    try {
      await put(`v1/zones/${id || idOf(body.name, known.value.map((zone) => zone.zone_id))}`, body);
      setDraft(null);
      known.reload();
    } catch (failure) {
      setError(failure.message);
    }
  };
  const remove = async () => {
    if (await act(own.deleted(draft.name), () => del(`v1/zones/${draft.zone_id}`))) { setDraft(null); known.reload(); }
  };
  return html`<section class="zones">
    <header class="tools"><button onClick=${() => go("cameras")}>‹ ${texts.views.cameras}</button><strong>${own.of(camera)}</strong><span class="grow" />
      <button data-needs="operator" onClick=${() => start("area")}>${own.addArea}</button><button data-needs="operator" onClick=${() => start("line")}>${own.addLine}</button></header>
    <div class="zone-bench">
      <${Frozen} camera=${camera} zones=${shown} chosen=${draft} onChoose=${choose} onPoints=${(points) => change({ points })} help=${draft ? own.help : ""} />
      ${draft
        ? html`<${ZoneForm} draft=${draft} change=${change} error=${error} save=${save} remove=${draft.zone_id ? remove : null} cancel=${() => { setDraft(null); setError(""); }} />`
        : html`<${ZoneList} zones=${saved} choose=${choose} />`}
    </div>
    <${ZoneHours} key=${saved.map((zone) => zone.version).join()} camera=${camera} />
  </section>`;
}

// The picture stands still: people who walk through it would be in the way of drawing.
function Frozen({ camera, help, ...props }) {
  const [size, setSize] = useState(null);
  const [lost, setLost] = useState(false);
  const [version, setVersion] = useState(0);
  useEffect(() => { setLost(false); setSize(null); }, [camera, version]);
  const url = new URL(`v1/cameras/${encodeURIComponent(camera)}/picture`, base);
  const picture = lost
    ? html`<p class="lost">${own.noPicture}</p>`
    : html`<img key=${version} src=${`${url.href}#${version}`} alt=${own.picture(camera)} draggable=${false} onLoad=${(event) => setSize([event.target.naturalWidth, event.target.naturalHeight])} onError=${() => setLost(true)} />`;
  return html`<div class="frozen"><${Drawing} ...${props} picture=${picture} ratio=${size ? size.join(" / ") : "16 / 9"} />
    <p class="quiet small">${help} <button class="plain link" onClick=${() => setVersion(version + 1)}>${own.newPicture}</button></p></div>`;
}

function ZoneForm({ draft, change, error, save, remove, cancel }) {
  const colours = Array.from({ length: COLOURS }, (_, i) => i);
  return html`<form class="panel zone-form" onSubmit=${save}>
    <label>${own.name[draft.kind]}<input required autofocus maxlength="60" value=${draft.name} placeholder=${own.nameHelp[draft.kind]} onInput=${(event) => change({ name: event.target.value })} /></label>
    <fieldset><legend>${own.colour}</legend><div class="swatches">${colours.map((i) => html`<button type="button" class="zone-dot zone-c${i}" aria-pressed=${draft.colour === i} aria-label=${own.colourOf(i + 1)} onClick=${() => change({ colour: i })} />`)}</div></fieldset>
    ${draft.kind === "line" && html`<p class="small quiet">${own.lineHelp} <button type="button" class="plain link" onClick=${() => change({ points: draft.points.toReversed() })}>${own.turn}</button></p>`}
    ${error && html`<p class="warn" role="alert">${error}</p>`}
    <div class="buttons"><button class="primary">${own.save}</button> <button type="button" onClick=${cancel}>${own.cancel}</button><span class="grow" />${remove && html`<button type="button" class="danger" onClick=${remove}>${own.remove}</button>`}</div>
  </form>`;
}

function ZoneList({ zones, choose }) {
  if (!zones.length) return html`<div class="panel"><h2 class="of-row">${own.none}</h2><p class="quiet">${own.noneHelp}</p></div>`;
  return html`<ul class="panel zone-list">${zones.map((zone) => html`<li key=${zone.zone_id}><button class="plain" onClick=${() => choose(zone.zone_id)}><i class="zone-dot zone-c${zone.colour}" aria-hidden="true" /><b>${zone.name}</b> <span class="quiet">${own.kinds[zone.kind]}</span></button></li>`)}</ul>`;
}
