// A rule as a sentence with chips.
import { html } from "../vendor/htm-preact-3.1.1.js";
import { texts } from "../texts.js";

const own = texts.alerts;

export function spanOf(seconds) {
  for (const [unit, size] of [["h", 3600], ["min", 60]]) if (seconds >= size && seconds % size === 0) return `${seconds / size} ${unit}`;
  return `${seconds} s`;
}

export function hoursOf(hours) {
  const days = hours.days.length === 7 ? "" : ` ${hours.days.map((day) => own.days[day]).join(", ")}`;
  return `${hours.begin}–${hours.end}${days}`;
}

// The parts of a rule's sentence: plain words, and chips as [text].
export function partsOf(rule, zones, outputs) {
  const zoneName = (id) => zones.find((zone) => zone.zone_id === id)?.name ?? id;
  const outputName = (id) => outputs.find((output) => output.output_id === id)?.name ?? id;
  const places = [...rule.zones.map(zoneName), ...rule.cameras];
  const who = rule.identities.length ? rule.identities.map((number) => `#${number}`).join(", ") : own.who[rule.who];
  const said = rule.when === "count" ? [own.when_, [own.more(rule.people)], own.are(rule.people)] : [own.when_, [who], [doing(rule)]];
  if (own.before[rule.when]) said.push(own.before[rule.when]);
  said.push([places.length ? places.join(", ") : own.anywhere]);
  if (rule.active) said.push(own.between, [hoursOf(rule.active)]);
  if (rule.quiet) said.push(own.quietly, [hoursOf(rule.quiet)]);
  if (rule.outputs.length) said.push("→", [rule.outputs.map(outputName).join(", ")]);
  return said;
}

function doing(rule) {
  const words = own.doing[rule.when];
  if (rule.when === "stays" || rule.when === "returns") return `${words} ${spanOf(rule.seconds)}`;
  return rule.when === "crosses" && rule.direction !== "both" ? `${words} ${own.directions[rule.direction]}` : words;
}

export const textOf = (rule, zones, outputs) => partsOf(rule, zones, outputs).flat().join(" ");

export function Sentence({ rule, zones, outputs }) {
  return html`<p class="sentence">${partsOf(rule, zones, outputs).map((part) => (Array.isArray(part) ? html`<b>${part[0]}</b> ` : html`<span>${part}</span> `))}</p>`;
}
