// Is everything working? The way of the data with its figures, and the gallery's own.
import { html } from "../vendor/htm-preact-3.1.1.js";
import { get, text } from "../api.js";
import { useLoaded } from "../hooks.js";
import { Failed, Skeleton } from "../parts/states.js";
import { Words, causesOf, listOf } from "../parts/causes.js";
import { stateOf } from "../parts/tile.js";
import { texts } from "../texts.js";

const own = texts.health;
const EVERY_MS = 3_000;

// Prometheus' text form to [{name, labels, value}].
export function samplesOf(exposition) {
  return exposition.split("\n").filter((line) => line && !line.startsWith("#")).map((line) => {
    const [, name, labels, value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    return { name, labels: Object.fromEntries([...(labels ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text])), value: Number(value) };
  });
}

export function Health() {
  const loaded = useLoaded(async () => {
    const [cameras, stats, exposition] = await Promise.all([get("v1/cameras"), get("v1/stats"), text("metrics")]);
    return { cameras: cameras.cameras, stats, samples: samplesOf(exposition) };
  }, [], EVERY_MS);
  if (loaded.loading) return html`<${Skeleton} rows=${4} />`;
  if (!loaded.value) return html`<${Failed} error=${loaded.error} again=${loaded.reload} />`;
  const { cameras, stats, samples } = loaded.value;
  const of = (name, labels = {}) => samples.filter((s) => s.name === name && Object.entries(labels).every(([k, v]) => s.labels[k] === v));
  const sum = (name, labels) => { const found = of(name, labels); return found.length ? found.reduce((total, s) => total + s.value, 0) : null; };
  const worst = (name, labels) => { const found = of(name, labels); return found.length ? Math.max(...found.map((s) => s.value)) : null; };
  const live = cameras.filter((camera) => ["live", "degraded"].includes(stateOf(camera))).length;
  const causes = causesOf(cameras);
  const fps = cameras.reduce((total, camera) => total + (camera.state && !camera.state.ended ? camera.state.analysed_fps : 0), 0);
  const waits = sum("climbtrack_capture_to_tracklet_seconds_count");
  const delay = waits ? sum("climbtrack_capture_to_tracklet_seconds_sum") / waits : null;
  const whole = (value) => (value === null ? null : Math.round(value).toLocaleString());
  const cards = [
    [own.stages.cameras, [[own.rows.live, own.of(live, cameras.length)], [own.rows.reconnects, whole(sum("climbtrack_camera_reconnects_total"))]]],
    [own.stages.ingest, [[own.rows.frames, whole(sum("climbtrack_ingest_frames_total"))], [own.rows.dropped, whole(sum("climbtrack_ingest_dropped_frames_total"))]]],
    [own.stages.worker, [[own.rows.rate, fps.toFixed(1)], [own.rows.busy, percent(worst("climbtrack_worker_saturation_ratio"))], [own.rows.delay, delay === null ? null : own.seconds(delay)], [own.rows.waiting, whole(sum("climbtrack_consumer_lag", { service: "reid_worker" }))]]],
    [own.stages.gallery, [[own.rows.people, whole(stats.identities)], [own.rows.tracklets, whole(stats.tracklets)], [own.rows.waiting, whole(sum("climbtrack_consumer_lag", { service: "gallery" }))]]],
  ];
  const decisions = of("climbtrack_assignments_total");
  const dead = sum("climbtrack_dead_letters_total") ?? 0;
  const fine = !causes.length && !dead;
  return html`<section class="health">
    <p class=${fine ? "verdict good" : "verdict warn"}><i class="dot ${fine ? "live" : "degraded"}" /> ${fine ? own.fine : own.degraded}</p>
    ${causes.map(({ cause, names }) => html`<p class="warn" key=${cause}><b>${listOf(names)}</b>: <${Words} of=${cause} /></p>`)}
    ${dead > 0 && html`<p class="warn">${own.dead(dead)}</p>`}
    <h2>${own.way}</h2>
    <div class="strip-way">${cards.map(([title, rows], i) => html`<div class="panel" key=${title}><h3>${title}</h3>
      <dl>${rows.map(([label, value]) => html`<dt>${label}</dt><dd class="num" title=${value === null ? own.unknown : ""}>${value ?? "–"}</dd>`)}</dl>
      ${i < cards.length - 1 && html`<span class="arrow" aria-hidden="true">→</span>`}</div>`)}</div>
    <h2>${own.people}</h2>
    <div class="panel"><dl class="wide">
      <dt>${own.falseMerges}</dt><dd class="num">${percent(worst("climbtrack_gallery_estimated_false_merge_ratio") ?? worst("climbtrack_gallery_false_merge_rate"))}</dd>
      ${decisions.map((sample) => html`<dt>${own.decisions[sample.labels.decision] ?? sample.labels.decision}</dt><dd class="num">${whole(sample.value)}</dd>`)}
      <dt>${own.events}</dt><dd class="num">${whole(stats.events)}</dd>
    </dl>
    <${Sureness} buckets=${of("climbtrack_match_probability_bucket")} /></div>
  </section>`;
}

// How many matches were how sure, in the steps that the gallery counts.
function Sureness({ buckets }) {
  const upTo = new Map(); // of all galleries together
  for (const { labels, value } of buckets) upTo.set(Number(labels.le), (upTo.get(Number(labels.le)) ?? 0) + value);
  const steps = [...upTo].filter(([le]) => Number.isFinite(le)).sort(([a], [b]) => a - b).map(([le, count], i, all) => ({ from: (all[i - 1]?.[0] ?? 0) * 100, to: le * 100, count: count - (all[i - 1]?.[1] ?? 0) }));
  const most = Math.max(...steps.map(({ count }) => count), 0);
  if (!most) return null;
  return html`<figure class="sureness"><figcaption>${own.sure}</figcaption>
    <ol>${steps.map(({ from, to, count }) => html`<li key=${to} title=${own.sureOf(count, round(from), round(to))}><span class="num">${count || ""}</span><i style=${{ height: `${(count / most) * 100}px` }} /><span class="num quiet">${round(to)}</span></li>`)}</ol>
    <p class="quiet small">${own.sureHelp}</p></figure>`;
}

const round = (share) => Number(share.toFixed(1));
const percent = (value) => (value === null ? "–" : `${(value * 100).toFixed(1)} %`);
