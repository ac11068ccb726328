// One rule, written as a sentence whose parts are chosen.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { post, put } from "../api.js";
import { texts } from "../texts.js";
import { HoursChoice } from "./hours.js";
import { Sentence, textOf } from "./sentence.js";

const own = texts.alerts;
const UNITS = { s: 1, min: 60, h: 3600 };
const FRESH = {
  name: "", when: "enters", who: "anyone", identities: [], zones: [], cameras: [], seconds: 0, people: 0, direction: "both",
  active: null, quiet: null, outputs: [], enabled: true,
};

const unitOf = (seconds) => Object.keys(UNITS).reverse().find((unit) => seconds >= UNITS[unit] && seconds % UNITS[unit] === 0) ?? "s";
const timed = (when) => when === "stays" || when === "returns";

export function RuleForm({ rule, zones, cameras, outputs, done }) {
  const [draft, setDraft] = useState(rule ?? { ...FRESH, outputs: outputs.map((output) => output.output_id).filter((id) => id !== "mqtt") });
  const [unit, setUnit] = useState(unitOf(draft.seconds || 300));
  const [certain, setCertain] = useState(draft.identities.length > 0);
  const [error, setError] = useState("");
  const change = (fields) => setDraft({ ...draft, ...fields });
  const flip = (field, name) => change({ [field]: draft[field].includes(name) ? draft[field].filter((one) => one !== name) : [...draft[field], name] });
  const shapes = zones.filter((zone) => (zone.kind === "line") === (draft.when === "crosses"));
  const doWhen = (when) => change({
    when, seconds: timed(when) ? draft.seconds || 300 : 0, zones: draft.zones.filter((id) => zones.some((zone) => zone.zone_id === id && (zone.kind === "line") === (when === "crosses"))),
    ...(when === "crosses" ? { cameras: [] } : {}), ...(when === "count" ? { who: "anyone", identities: [] } : {}),
  });
  const choose = (who) => { setCertain(who === "certain"); change(who === "certain" ? { who: "anyone" } : { who, identities: [] }); };
  const save = async (event) => {
    event.preventDefault();
    const { rule_id: id, ...fields } = draft;
    const body = { ...fields, name: fields.name.trim() || textOf(draft, zones, outputs).slice(0, 60).trim() };
    try {
      await (id ? put(`v1/alert-rules/${id}`, body) : post("v1/alert-rules", body));
      done();
    } catch (failure) {
      setError(failure.message);
    }
  };
  return html`<form class="panel rule-form" onSubmit=${save}>
    <${Sentence} rule=${draft} zones=${zones} outputs=${outputs} />
    <div class="choices">
      ${draft.when !== "count" && html`<label>${own.whoLabel}<select value=${certain ? "certain" : draft.who} onChange=${(event) => choose(event.target.value)}>
        ${Object.entries(own.who).map(([key, text]) => html`<option value=${key}>${text}</option>`)}<option value="certain">${own.certain}</option></select></label>`}
      ${certain && draft.when !== "count" && html`<label>${own.numbers}<input required inputmode="numeric" pattern="[0-9, ]+" placeholder="3, 12" value=${draft.identities.join(", ")}
        onChange=${(event) => change({ identities: event.target.value.split(/[ ,]+/).filter(Boolean).map(Number) })} /></label>`}
      <label>${own.whenLabel}<select value=${draft.when} onChange=${(event) => doWhen(event.target.value)}>${Object.entries(own.doing).map(([key, text]) => html`<option value=${key}>${text}</option>`)}</select></label>
      ${timed(draft.when) && html`<label>${own.length}<span class="span"><input type="number" min="1" required value=${draft.seconds / UNITS[unit]} onInput=${(event) => change({ seconds: Number(event.target.value) * UNITS[unit] })} />
        <select aria-label=${own.unit} value=${unit} onChange=${(event) => { change({ seconds: (draft.seconds / UNITS[unit]) * UNITS[event.target.value] }); setUnit(event.target.value); }}>${Object.keys(UNITS).map((one) => html`<option value=${one}>${one}</option>`)}</select></span></label>`}
      ${draft.when === "count" && html`<label>${own.moreThan}<input type="number" min="0" max="10000" required value=${draft.people} onInput=${(event) => change({ people: Number(event.target.value) })} /></label>`}
      ${draft.when === "crosses" && html`<label>${own.direction}<select value=${draft.direction} onChange=${(event) => change({ direction: event.target.value })}>${Object.entries(own.directions).map(([key, text]) => html`<option value=${key}>${text}</option>`)}</select></label>`}
    </div>
    <fieldset><legend>${draft.when === "crosses" ? own.whichLine : own.where}</legend>
      <div class="chips">
        ${shapes.map((zone) => html`<button type="button" class="toggle" aria-pressed=${draft.zones.includes(zone.zone_id)} onClick=${() => flip("zones", zone.zone_id)}><i class="zone-dot zone-c${zone.colour}" aria-hidden="true" />${zone.name}</button>`)}
        ${draft.when !== "crosses" && cameras.map((camera) => html`<button type="button" class="toggle" aria-pressed=${draft.cameras.includes(camera)} onClick=${() => flip("cameras", camera)}>${camera}</button>`)}
      </div>
      <small class="quiet">${draft.when === "crosses" ? (shapes.length ? own.linesHelp : own.noLines) : own.placesHelp}</small></fieldset>
    <div class="choices">
      <${HoursChoice} label=${own.activeLabel} none=${own.always} value=${draft.active} onChange=${(active) => change({ active })} />
      <${HoursChoice} label=${own.quietLabel} none=${own.never} value=${draft.quiet} onChange=${(quiet) => change({ quiet })} />
    </div>
    <fieldset><legend>${own.sendTo}</legend>
      <div class="chips">${outputs.map((output) => html`<button type="button" class="toggle" aria-pressed=${draft.outputs.includes(output.output_id)} onClick=${() => flip("outputs", output.output_id)}>${output.name}</button>`)}</div>
      ${!draft.outputs.length && html`<small class="quiet">${own.noOutputs}</small>`}</fieldset>
    <label class="named">${own.name}<input maxlength="60" value=${draft.name} placeholder=${own.nameHelp} onInput=${(event) => change({ name: event.target.value })} /></label>
    ${error && html`<p class="warn" role="alert">${error}</p>`}
    <div class="buttons"><button class="primary">${own.save}</button> <button type="button" onClick=${done}>${own.cancel}</button></div>
  </form>`;
}
