// What people want to be told, and what they were told: one entry a person.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { del, get, post, put } from "../api.js";
import { useAlerts, useLoaded } from "../hooks.js";
import { Output, OutputForm } from "../parts/output.js";
import { Chip, Crop } from "../parts/person.js";
import { RuleForm } from "../parts/rule.js";
import { Sentence, textOf } from "../parts/sentence.js";
import { Empty, Failed, Skeleton } from "../parts/states.js";
import { act } from "../parts/toast.js";
import { texts } from "../texts.js";
import { clockOf, utcOf } from "../time.js";

const own = texts.alerts;
const EVERY_MS = 3_000;
const DAY_S = 86_400;
const MQTT = { output_id: "mqtt", name: "MQTT" }; // the broker of the settings
const TABS = { "": Log, rules: Rules, outputs: Outputs };

export function Alerts({ path, go, onPerson }) {
  const [tab = ""] = path.split("/");
  const View = TABS[tab] ?? Log;
  return html`<section class="alerts">
    <header class="tools"><div class="tabs" role="tablist" aria-label=${texts.views.alerts}>${Object.keys(TABS).map((name) => html`
      <button role="tab" aria-selected=${View === TABS[name]} onClick=${() => go(`alerts/${name}`)}>${own.tabs[name]}</button>`)}</div>
      <span class="grow" />${own.adds[tab] && !path.includes("/") && html`<button data-needs=${tab === "outputs" ? "admin" : "operator"} class="primary" onClick=${() => go(`alerts/${tab}/new`)}>${own.adds[tab]}</button>`}</header>
    <${View} path=${path} go=${go} onPerson=${onPerson} />
  </section>`;
}

function Log({ go, onPerson }) {
  const [limit, setLimit] = useState(50);
  const page = useLoaded(() => get(`v1/alerts?limit=${limit}`), [limit]);
  useAlerts(() => page.reload(), [page.reload]);
  const kept = useLoaded(() => keptOf(page.value?.alerts ?? []), [page.value]);
  if (page.loading) return html`<${Skeleton} rows=${6} />`;
  if (!page.value) return html`<${Failed} error=${page.error} again=${page.reload} />`;
  const { alerts, next } = page.value;
  if (!alerts.length) return html`<${Empty} title=${own.none} help=${own.noneHelp}><button class="primary" onClick=${() => go("alerts/rules")}>${own.toRules}</button><//>`;
  const days = Map.groupBy ? Map.groupBy(alerts, dayOf) : grouped(alerts);
  return html`${[...days].map(([day, entries]) => html`<section key=${day}><h2 class="day">${day}</h2>
    <ol class="log">${entries.map((alert) => html`<${Entry} key=${alert.alert_id} alert=${alert} clip=${kept.value?.some((one) => shows(one, alert))} onPerson=${onPerson} />`)}</ol></section>`)}
    ${next && html`<p><button onClick=${() => setLimit(Math.min(limit * 2, 1000))}>${own.older}</button></p>`}`;
}

// What is recorded of the cameras of alerts, in the day up to the last of them.
async function keptOf(alerts) {
  const about = alerts.filter((alert) => alert.identity && alert.camera_id), times = about.map((alert) => Date.parse(alert.time));
  if (!about.length) return [];
  const end = Math.floor(Math.max(...times) / 1000) + 1, begin = Math.max(Math.floor(Math.min(...times) / 1000), end - DAY_S + 1);
  const cameras = [...new Set(about.map((alert) => alert.camera_id))];
  const found = await Promise.all(cameras.map((camera) => get(`v1/cameras/${encodeURIComponent(camera)}/recordings?from=${begin}&to=${end}`).catch(() => ({ clips: [] }))));
  return found.flatMap(({ clips }) => clips).map((clip) => ({ camera: clip.camera_id, from: Date.parse(clip.since), to: Date.parse(clip.until) }));
}

const shows = ({ camera, from, to }, alert) => camera === alert.camera_id && from <= Date.parse(alert.time) && Date.parse(alert.time) <= to;

const dayOf = (alert) => new Date(alert.time).toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" });

function grouped(alerts) {
  const days = new Map();
  for (const alert of alerts) days.set(dayOf(alert), [...(days.get(dayOf(alert)) ?? []), alert]);
  return days;
}

function Entry({ alert, clip, onPerson }) {
  const open = alert.identity ? () => onPerson(alert.identity) : undefined;
  const about = alert.name || `Person ${alert.identity}`;
  const text = alert.identity && alert.text.startsWith(about) ? alert.text.slice(about.length).trim() : alert.text;
  return html`<li class="entry ${alert.test ? "test" : ""}">
    <${Crop} tracklet=${alert.tracklet_id} label=${alert.text} onClick=${open} />
    <div class="grow">
      <p class="what">${alert.identity && html`<${Chip} person=${{ id: alert.identity, name: alert.name }} onClick=${open} />`}<span>${text}</span></p>
      <p class="quiet small">${alert.rule}${alert.camera_id && alert.camera_id !== alert.place ? ` · ${alert.camera_id}` : ""}</p>
    </div>
    ${clip && html`<a class="button" href=${`#/people/${alert.identity}/recordings/${Date.parse(alert.time)}`}>${own.watch}</a>`}
    ${alert.test && html`<em class="badge">${own.test}</em>`}${alert.silent && html`<em class="badge">${own.silent}</em>`}
    <time class="num" datetime=${alert.time} title=${utcOf(alert.time)}>${clockOf(alert.time)}</time>
  </li>`;
}

const setting = () => Promise.all([get("v1/alert-rules"), get("v1/zones"), get("v1/cameras"), get("v1/alert-outputs")]).then(
  ([{ rules }, { zones }, { cameras }, { outputs }]) => ({ rules, zones, cameras: cameras.map((camera) => camera.camera_id), outputs: [...outputs, MQTT] }),
);

function Rules({ path, go }) {
  const known = useLoaded(setting, []);
  const editing = path.split("/")[1];
  const done = () => { go("alerts/rules"); known.reload(); };
  if (known.loading) return html`<${Skeleton} rows=${3} />`;
  if (!known.value) return html`<${Failed} error=${known.error} again=${known.reload} />`;
  const { rules, ...site } = known.value;
  if (!rules.length && !editing) return html`<${Empty} title=${own.noRules} help=${own.noRulesHelp}><button data-needs="operator" class="primary" onClick=${() => go("alerts/rules/new")}>${own.adds.rules}</button><//>`;
  return html`
    ${editing === "new" && html`<${RuleForm} ...${site} done=${done} />`}
    <ul class="list">${rules.map((rule) => html`<li key=${rule.rule_id}>${editing === rule.rule_id
      ? html`<${RuleForm} rule=${rule} ...${site} done=${done} />`
      : html`<${Rule} rule=${rule} site=${site} reload=${known.reload} go=${go} />`}</li>`)}</ul>`;
}

function Rule({ rule, site, reload, go }) {
  const [asking, setAsking] = useState(false);
  const path = `v1/alert-rules/${rule.rule_id}`;
  const tried = () => act(rule.outputs.length ? own.tried : own.triedHere, () => post(`${path}/try`));
  const flip = async () => {
    const { rule_id: _, ...fields } = rule;
    await act(rule.enabled ? own.off(rule.name) : own.on(rule.name), () => put(path, { ...fields, enabled: !rule.enabled }));
    reload();
  };
  const remove = async () => (await act(own.deleted(rule.name), () => del(path))) && reload();
  const about = [textOf(rule, site.zones, site.outputs).startsWith(rule.name) ? "" : rule.name, rule.enabled ? "" : own.isOff].filter(Boolean).join(" · ");
  return html`<div class="panel rule ${rule.enabled ? "" : "off"}">
    <div class="grow"><${Sentence} rule=${rule} ...${site} />${about && html`<p class="quiet small">${about}</p>`}</div>
    <div class="buttons">
      <button data-needs="operator" onClick=${tried}>${own.tryIt}</button>
      <button data-needs="operator" onClick=${() => go(`alerts/rules/${rule.rule_id}`)}>${own.edit}</button>
      <button data-needs="operator" onClick=${flip}>${rule.enabled ? own.switchOff : own.switchOn}</button>
      ${asking ? html`<span class="ask">${own.deleteAsk(rule.name)} <button class="danger solid" onClick=${remove}>${own.remove}</button> <button onClick=${() => setAsking(false)}>${own.cancel}</button></span>`
        : html`<button data-needs="operator" class="danger" onClick=${() => setAsking(true)}>${own.remove}</button>`}
    </div>
  </div>`;
}

function Outputs({ path, go }) {
  const known = useLoaded(() => get("v1/alert-outputs").then(({ outputs }) => outputs), [], EVERY_MS);
  const adding = path.endsWith("/new");
  const done = () => { go("alerts/outputs"); known.reload(); };
  if (known.loading) return html`<${Skeleton} rows=${2} />`;
  if (!known.value) return html`<${Failed} error=${known.error} again=${known.reload} />`;
  if (!known.value.length && !adding) return html`<${Empty} title=${own.noOutput} help=${own.noOutputHelp}><button data-needs="admin" class="primary" onClick=${() => go("alerts/outputs/new")}>${own.adds.outputs}</button><//>`;
  return html`${adding && html`<${OutputForm} taken=${known.value.map((one) => one.output_id)} done=${done} />`}
    <ul class="list">${known.value.map((output) => html`<${Output} key=${output.output_id} output=${output} reload=${known.reload} />`)}</ul>`;
}
