// A person's way on a plan of the cameras, which draws itself from how long people take between them.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact-3.1.1.js";
import { get } from "../api.js";
import { useLoaded } from "../hooks.js";
import { placesOf } from "../placing.js";
import { texts } from "../texts.js";

const own = texts.plan;
const HOURS = [1, 24]; // of a busy site an hour tells how far cameras are apart, and a day would take long to count
const MOST_STEPS = 12; // of a long way, the last
const MARGIN_PX = 48;
const UNIT_PX = 130;
const DOT_PX = 13;
const MOST_NUMBERS = 3; // of a line that was walked often
const BESIDE_PX = 11; // of a line, its numbers
const SLANT = 0.35; // of a line from which its numbers begin or end beside it, instead of above or below
const BEND = 0.22; // so that there and back are two lines

let counted = null; // the ways of the site, once for as long as the page is open: the plan stays the same from person to person

async function countWays() {
  for (const hours of HOURS) {
    const { ways } = await get(`v1/statistics?from=${Math.floor(Date.now() / 1000) - hours * 3600}`);
    if (ways.length) return ways;
  }
  counted = null; // nobody walked yet
  return [];
}

const waysOf = () => (counted ??= countWays().catch(() => [])); // too many to be counted: a plan that knows no distances
const camerasOf = () => get("v1/cameras").then(({ cameras }) => cameras.map((camera) => camera.camera_id));

// One place after the other, without coming back to where one is.
const wayOf = (presences) => presences.map((one) => one.camera_id).filter((camera, i, all) => camera !== all[i - 1]);
const stepsOf = (way) => way.slice(1).map((camera, i) => ({ origin: way[i], destination: camera, median_s: 0 }));

export function Plan({ presences, colour }) {
  const known = useLoaded(() => Promise.all([camerasOf(), waysOf()]), []);
  const [width, setWidth] = useState(600);
  const holder = useRef();
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    observer.observe(holder.current);
    return () => observer.disconnect();
  }, []);
  const way = useMemo(() => wayOf(presences), [presences]);
  const [listed, walked] = known.value ?? [[], []];
  const ways = walked.length ? walked : stepsOf(way);
  const cameras = useMemo(() => [...new Set([...listed, ...way])].sort(), [listed, way]);
  const places = useMemo(() => fitted(placesOf(cameras, ways), width), [cameras, walked, width]);
  return html`<div class="plan" ref=${holder}>${known.value && cameras.length > 1 && html`<${Drawn} ...${{ places, ways, way, colour, width }} />
    <p class="quiet small">${own.help}${way.length > MOST_STEPS ? ` ${own.last(MOST_STEPS, way.length)}` : ""}</p>`}</div>`;
}

function Drawn({ places, ways, way, colour, width }) {
  const heights = [...places.values()].map(([, y]) => y);
  const height = Math.max(...heights) + MARGIN_PX, centre = (Math.min(...heights) + Math.max(...heights)) / 2; // names look outwards
  const steps = way.slice(-MOST_STEPS);
  const between = new Map(); // both names: the numbers of the steps
  steps.forEach((camera, i) => i && between.set(`${steps[i - 1]}\n${camera}`, [...(between.get(`${steps[i - 1]}\n${camera}`) ?? []), i]));
  const drawn = ways.filter(({ origin, destination }) => places.has(origin) && places.has(destination) && origin !== destination);
  return html`<svg width=${width} height=${height} role="img" aria-label=${own.label(steps)} style=${{ "--of-person": colour }}>
    <defs><marker id="plan-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="tip" /></marker></defs>
    ${drawn.map((one) => html`<line key=${`${one.origin}\n${one.destination}`} class="known" ...${ends(places.get(one.origin), places.get(one.destination))} />`)}
    ${[...between].map(([key, numbers]) => {
      const [origin, destination] = key.split("\n");
      const { path, beside, anchor } = bent(places.get(origin), places.get(destination));
      return html`<g key=${key}><path class="step" d=${path} marker-end="url(#plan-arrow)" />
        <text x=${beside[0]} y=${beside[1] + 4} text-anchor=${anchor} class="count">${numbers.length > MOST_NUMBERS ? own.times(numbers.length) : numbers.join(", ")}</text></g>`;
    })}
    ${[...places].map(([camera, [x, y]]) => html`<g key=${camera} class=${way.includes(camera) ? "been" : ""}>
      <circle cx=${x} cy=${y} r=${DOT_PX} />
      ${camera === way.at(-1) && html`<circle cx=${x} cy=${y} r=${DOT_PX + 4} class="last" />`}
      <text x=${x} y=${y < centre ? y - DOT_PX - 9 : y + DOT_PX + 19} text-anchor="middle">${camera.length > 18 ? `${camera.slice(0, 17)}…` : camera}<title>${camera}</title></text></g>`)}
  </svg>`;
}

// Places in pixels: as large as they fit, no larger than can be taken in at one look.
function fitted(places, width) {
  const xs = [...places.values()].map(([x]) => x), ys = [...places.values()].map(([, y]) => y);
  const left = Math.min(...xs), top = Math.min(...ys), wide = Math.max(...xs) - left;
  const scale = wide ? Math.min(UNIT_PX, Math.max(width - 2 * MARGIN_PX, 1) / wide) : UNIT_PX;
  const begin = (width - wide * scale) / 2;
  return new Map([...places].map(([camera, [x, y]]) => [camera, [begin + (x - left) * scale, MARGIN_PX + (y - top) * scale]]));
}

const ends = ([x1, y1], [x2, y2]) => ({ x1, y1, x2, y2 });

// From the edge of one dot to that of another, beside the straight line.
function bent([x1, y1], [x2, y2]) {
  const apart = Math.hypot(x2 - x1, y2 - y1) || 1, [u, v] = [(x2 - x1) / apart, (y2 - y1) / apart];
  const control = [(x1 + x2) / 2 - v * apart * BEND, (y1 + y2) / 2 + u * apart * BEND];
  const towards = ([x, y], room) => { const far = Math.hypot(control[0] - x, control[1] - y) || 1; return [x + ((control[0] - x) / far) * room, y + ((control[1] - y) / far) * room]; };
  const [a, b] = [towards([x1, y1], DOT_PX + 2), towards([x2, y2], DOT_PX + 4)];
  const beside = [(a[0] + 2 * control[0] + b[0]) / 4 - v * BESIDE_PX, (a[1] + 2 * control[1] + b[1]) / 4 + u * BESIDE_PX];
  return { path: `M${a}Q${control} ${b}`, beside, anchor: ["start", "middle", "end"][1 + Math.sign(Math.trunc(v / SLANT))] };
}
