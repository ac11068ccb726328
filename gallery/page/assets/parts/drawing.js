// Areas and lines over a picture. Corners are buttons: they are dragged, or moved by the arrow keys, and removed by Delete.
import { html, useRef } from "../vendor/htm-preact-3.1.1.js";
import { texts } from "../texts.js";

const own = texts.zones;
const STEP = 0.005;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const within = (value) => Math.round(Math.min(Math.max(value, 0), 1) * 10_000) / 10_000;
const place = ([x, y]) => ({ left: `${x * 100}%`, top: `${y * 100}%` });
const least = (kind) => (kind === "line" ? 2 : 3);

export function Drawing({ zones, chosen, picture, ratio, onChoose, onPoints }) {
  const stage = useRef();
  const at = (event) => {
    const area = stage.current.getBoundingClientRect();
    return [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
  };
  // Moves some points with the pointer until it is released.
  const drag = (event, which) => {
    event.preventDefault();
    event.stopPropagation();
    const held = event.currentTarget, before = chosen.points, [x, y] = at(event);
    held.setPointerCapture(event.pointerId);
    held.focus?.();
    const move = (moved) => {
      const [to, down] = at(moved);
      onPoints(before.map(([px, py], i) => (which === null || which === i ? [within(px + to - x), within(py + down - y)] : [px, py])));
    };
    const end = () => {
      held.removeEventListener("pointermove", move);
      held.removeEventListener("pointerup", end);
      held.removeEventListener("pointercancel", end);
    };
    held.addEventListener("pointermove", move);
    held.addEventListener("pointerup", end);
    held.addEventListener("pointercancel", end);
  };
  const key = (event, i) => {
    const way = KEYS[event.key], size = event.shiftKey ? 10 * STEP : STEP;
    if (way) onPoints(chosen.points.map(([x, y], j) => (i === j ? [within(x + way[0] * size), within(y + way[1] * size)] : [x, y])));
    else if ((event.key === "Delete" || event.key === "Backspace") && chosen.points.length > least(chosen.kind)) onPoints(chosen.points.filter((_, j) => j !== i));
    else return;
    event.preventDefault();
  };
  const split = (i) => {
    const [x, y] = chosen.points[i], [nextX, nextY] = chosen.points[(i + 1) % chosen.points.length];
    onPoints(chosen.points.toSpliced(i + 1, 0, [within((x + nextX) / 2), within((y + nextY) / 2)]));
  };
  const edges = chosen ? chosen.points.slice(0, chosen.kind === "line" ? -1 : undefined) : [];
  return html`<div class="drawing" ref=${stage} style=${{ aspectRatio: ratio }}>
    ${picture}
    <svg viewBox="0 0 1 1" preserveAspectRatio="none" role="img" aria-label=${own.shapes(zones.map((zone) => zone.name))}>
      ${zones.map((zone) => html`<${Shape} key=${zone.zone_id} zone=${zone} chosen=${zone.zone_id === chosen?.zone_id} onDown=${(event) => (zone.zone_id === chosen?.zone_id ? drag(event, null) : onChoose(zone.zone_id))} />`)}
    </svg>
    ${zones.filter((zone) => zone.zone_id !== chosen?.zone_id).map((zone) => html`<span key=${zone.zone_id} class="zone-name zone-c${zone.colour}" style=${place(middleOf(zone))}>${zone.name}</span>`)}
    ${chosen?.kind === "line" && html`<span class="way zone-c${chosen.colour}" style=${arrowOf(chosen.points, ratio)} aria-hidden="true">➜</span>`}
    ${edges.map((_, i) => html`<button type="button" key=${`edge${i}`} class="edge zone-c${chosen.colour}" style=${place(halfway(chosen.points, i))} aria-label=${own.split(i + 1)} title=${own.split(i + 1)} onClick=${() => split(i)}>+</button>`)}
    ${chosen?.points.map((point, i) => html`<button type="button" key=${i} class="corner zone-c${chosen.colour}" style=${place(point)} aria-label=${own.corner(i + 1, point)} onPointerDown=${(event) => drag(event, i)} onKeyDown=${(event) => key(event, i)} />`)}
  </div>`;
}

function Shape({ zone, chosen, onDown }) {
  const points = zone.points.map((point) => point.join(",")).join(" ");
  const look = `shape ${zone.kind} zone-c${zone.colour} ${chosen ? "chosen" : ""}`;
  return zone.kind === "line" ? html`<polyline class=${look} points=${points} onPointerDown=${onDown} />` : html`<polygon class=${look} points=${points} onPointerDown=${onDown} />`;
}

const halfway = (points, i) => {
  const [x, y] = points[i], [nextX, nextY] = points[(i + 1) % points.length];
  return [(x + nextX) / 2, (y + nextY) / 2];
};

function middleOf({ points, kind }) {
  if (kind === "line") return points[0];
  const sum = points.reduce(([x, y], [px, py]) => [x + px, y + py], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}

// An arrow beside the middle of a line, pointing to its right: the way that counts as forward.
function arrowOf(points, ratio) {
  const [wide, high] = ratio.split("/").map(Number);
  const [[ax, ay], [bx, by]] = points;
  const angle = Math.atan2((by - ay) * high, (bx - ax) * wide) + Math.PI / 2;
  return { ...place(halfway(points, 0)), transform: `translate(-50%, -50%) rotate(${angle}rad) translateX(26px)` };
}
