// Hours of a week, chosen: never, or from a time of day to another on some days.
import { html } from "../vendor/htm-preact-3.1.1.js";
import { texts } from "../texts.js";

const own = texts.alerts;
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
export const zoneHere = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const night = () => ({ begin: "22:00", end: "06:00", days: DAYS, time_zone: zoneHere() });

export function HoursChoice({ label, none, value, onChange }) {
  const set = (field) => (event) => onChange({ ...value, [field]: event.target.value });
  const flip = (day) => {
    const days = DAYS.filter((one) => (one === day) !== value.days.includes(one));
    if (days.length) onChange({ ...value, days });
  };
  return html`<fieldset class="hours">
    <legend>${label}</legend>
    <div class="tabs"><button type="button" aria-pressed=${!value} class="toggle" onClick=${() => onChange(null)}>${none}</button>
      <button type="button" aria-pressed=${!!value} class="toggle" onClick=${() => value || onChange(night())}>${own.some}</button></div>
    ${value && html`<div class="span">
      <input type="time" required aria-label=${`${label}: ${own.begin}`} value=${value.begin} onInput=${set("begin")} /> <span>${own.to}</span>
      <input type="time" required aria-label=${`${label}: ${own.end}`} value=${value.end} onInput=${set("end")} /></div>
    <div class="chips">${DAYS.map((day) => html`<button type="button" class="toggle" aria-pressed=${value.days.includes(day)} onClick=${() => flip(day)}>${own.days[day]}</button>`)}</div>
    <small class="quiet">${own.timeZone(value.time_zone)}</small>`}
  </fieldset>`;
}
