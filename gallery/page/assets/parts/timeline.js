// One lane a camera: when a person was where. Wheel or pinch zooms, dragging moves, double click shows all.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/htm-preact-3.1.1.js";
import { clockOf, durationOf, minuteOf } from "../time.js";
import { texts } from "../texts.js";

const LANE = 34;
const AXIS = 26;
const LABEL = 112;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];

export function Timeline({ presences, colour, chosen, onChoose }) {
  const holder = useRef();
  const [width, setWidth] = useState(800);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    observer.observe(holder.current);
    return () => observer.disconnect();
  }, []);
  const spans = useMemo(() => presences.map((p) => ({ ...p, from: Date.parse(p.first), to: Date.parse(p.last) })), [presences]);
  const all = useMemo(() => {
    const from = Math.min(...spans.map((s) => s.from)), to = Math.max(...spans.map((s) => s.to));
    const margin = Math.max((to - from) * 0.04, 1000);
    return [from - margin, to + margin];
  }, [spans]);
  const [view, setView] = useState(null);
  const [from, to] = view ?? all;
  const cameras = [...new Set(spans.map((s) => s.camera_id))].sort();
  const label = width < 520 ? 72 : LABEL;
  const x = (time) => label + ((time - from) / (to - from)) * (width - label);
  const step = STEPS_S.find((s) => (((width - label) * s * 1000) / (to - from)) > 84) ?? 86400;
  const ticks = [];
  for (let t = Math.ceil(from / (step * 1000)) * step * 1000; t <= to; t += step * 1000) ticks.push(t);
  const zoom = (factor, at) => {
    const next = [at - (at - from) * factor, at + (to - at) * factor];
    setView(next[1] - next[0] < 2000 || next[1] - next[0] > 7 * 86_400_000 ? view : next);
  };
  const timeAt = (px) => from + (Math.max(px - label, 0) / (width - label)) * (to - from);
  useEffect(() => {
    const element = holder.current;
    const wheel = (event) => {
      event.preventDefault();
      const at = timeAt(event.clientX - element.getBoundingClientRect().left);
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const by = ((event.deltaX || event.deltaY) / (width - label)) * (to - from);
        setView([from + by, to + by]);
      } else zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, at);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  });
  const pointers = useRef(new Map());
  const move = (event) => {
    const known = pointers.current;
    if (!known.has(event.pointerId)) return;
    const before = new Map(known);
    known.set(event.pointerId, event.clientX);
    const left = holder.current.getBoundingClientRect().left;
    if (known.size === 1) {
      const by = ((before.get(event.pointerId) - event.clientX) / (width - label)) * (to - from);
      if (by) setView([from + by, to + by]);
    } else if (known.size === 2) {
      const [a, b] = [...before.values()], [c, d] = [...known.values()];
      if (Math.abs(c - d) > 10) zoom(Math.abs(a - b) / Math.abs(c - d), timeAt((c + d) / 2 - left));
    }
  };
  const height = cameras.length * LANE + AXIS;
  return html`<div class="timeline" ref=${holder} onDblClick=${() => setView(null)}
      onPointerDown=${(e) => pointers.current.set(e.pointerId, e.clientX)} onPointerMove=${move}
      onPointerUp=${(e) => pointers.current.delete(e.pointerId)} onPointerLeave=${(e) => pointers.current.delete(e.pointerId)}>
    <svg width=${width} height=${height} role="img" aria-label=${texts.person.lanes(spans.length, cameras.length)}>
      ${ticks.map((t) => html`<g key=${t}>
        <line x1=${x(t)} x2=${x(t)} y1="0" y2=${height - AXIS} class="grid" />
        <text x=${x(t)} y=${height - 8} text-anchor="middle">${step < 60 ? clockOf(t) : minuteOf(t)}</text>
      </g>`)}
      ${cameras.map((camera, i) => html`<g key=${camera}>
        <line x1="0" x2=${width} y1=${(i + 1) * LANE} y2=${(i + 1) * LANE} class="grid" />
        ${spans.filter((s) => s.camera_id === camera && s.to >= from && s.from <= to).map((span) => {
          const left = Math.max(x(span.from), label), right = Math.min(x(span.to), width);
          return html`<rect key=${span.first} x=${left} y=${i * LANE + 8} width=${Math.max(right - left, 4)} height=${LANE - 16} rx="4" fill=${colour}
            class=${chosen?.has(span.first + camera) ? "chosen" : ""} onClick=${() => onChoose?.(span)}>
            <title>${texts.person.span(camera, clockOf(span.from), clockOf(span.to), durationOf(span.seconds))}</title></rect>`;
        })}
        <rect x="0" y=${i * LANE} width=${label} height=${LANE - 1} class="cover" />
        <text x="4" y=${i * LANE + LANE / 2 + 4} class="lane">${camera.length > label / 8 ? `${camera.slice(0, label / 8 - 1)}…` : camera}</text>
      </g>`)}
    </svg>
    <p class="quiet small">${texts.person.zoom}</p>
  </div>`;
}
