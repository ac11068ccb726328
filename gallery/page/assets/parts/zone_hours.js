// How many people were in each area of a camera, and crossed its lines, hour by hour of the last day.
import { html } from "../vendor/htm-preact-3.1.1.js";
import { base, get } from "../api.js";
import { useLoaded } from "../hooks.js";
import { texts } from "../texts.js";
import { durationOf, minuteOf } from "../time.js";
import { Failed, Skeleton } from "./states.js";

const EVERY_MS = 60_000;
const own = texts.zoneHours;

export function ZoneHours({ camera }) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
  const query = `camera=${encodeURIComponent(camera)}&zone=${encodeURIComponent(zone)}`;
  const found = useLoaded(() => get(`v1/zones/history?${query}`).then(({ zones }) => zones), [query], EVERY_MS);
  if (found.loading) return html`<${Skeleton} rows=${2} />`;
  if (!found.value) return html`<${Failed} error=${found.error} again=${found.reload} />`;
  if (!found.value.length) return null;
  return html`<section class="panel zone-hours"><header><h2 class="of-row">${own.title}</h2><span class="grow" />
      <a class="small" download href=${new URL(`v1/zones/history?${query}&format=csv`, base).href}>${own.download}</a></header>
    <ul>${found.value.map((one) => html`<li key=${one.zone_id}><p><b>${one.name}</b> <span class="quiet">${own.told(one, durationOf(one.median_s))}</span></p><${Hours} zone=${one} /></li>`)}</ul>
  </section>`;
}

// A bar an hour, as high as people were there; the last one goes on.
function Hours({ zone }) {
  const most = Math.max(1, ...zone.periods.map(({ people }) => people));
  const last = zone.periods.length - 1;
  return html`<div class="hour-bars" role="img" aria-label=${own.label(zone)}>${zone.periods.map((period, i) => html`
    <i key=${period.start} class=${period.people ? "" : "none"} style=${{ "--share": period.people / most }} title=${own.hour(minuteOf(period.start), period, zone.kind)}>
      ${(i === 0 || i === last || i % 6 === 0) && html`<small>${minuteOf(period.start)}</small>`}</i>`)}</div>`;
}
