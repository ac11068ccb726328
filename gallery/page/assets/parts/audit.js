// The audit log: who looked at or changed which person, the newest first.
import { html, useState } from "../vendor/htm-preact-3.1.1.js";
import { get } from "../api.js";
import { useLoaded } from "../hooks.js";
import { texts } from "../texts.js";
import { momentOf, utcOf } from "../time.js";
import { Empty, Failed, Skeleton } from "./states.js";

const own = texts.access;

export function Audit() {
  const [filter, setFilter] = useState({ who: "", identity: "", what: "" });
  const [limit, setLimit] = useState(100);
  const asked = new URLSearchParams(Object.entries({ ...filter, limit }).filter(([, value]) => value !== ""));
  const log = useLoaded(() => get(`v1/audit?${asked}`), [asked.toString()]);
  const set = (field, clean = (text) => text) => (event) => setFilter({ ...filter, [field]: clean(event.target.value.trim()) });
  const digits = (text) => text.replace(/\D/g, "").slice(0, 15);
  return html`<div class="stack">
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <input aria-label=${own.who} placeholder=${own.who} maxlength="80" value=${filter.who} onChange=${set("who")} />
      <input aria-label=${own.person} placeholder=${own.person} inputmode="numeric" value=${filter.identity} onChange=${set("identity", digits)} />
      <input aria-label=${own.what} placeholder=${own.what} maxlength="80" value=${filter.what} onChange=${set("what")} />
      <span class="grow" /><button type="button" onClick=${log.reload}>${own.refresh}</button>
    </form>
    ${log.loading ? html`<${Skeleton} rows=${6} />` : !log.value ? html`<${Failed} error=${log.error} again=${log.reload} />` : html`<${Entries} entries=${log.value.entries} />
      ${log.value.next && limit < 1000 && html`<p><button onClick=${() => setLimit(Math.min(limit * 3, 1000))}>${own.older}</button></p>`}`}
  </div>`;
}

function Entries({ entries }) {
  if (!entries.length) return html`<${Empty} title=${own.noEntries} help=${own.noEntriesHelp} />`;
  return html`<table class="rows audit"><thead><tr><th>${own.when}</th><th>${own.who}</th><th>${own.what}</th><th>${own.person}</th><th>${own.address}</th></tr></thead>
    <tbody>${entries.map((entry) => html`<tr key=${entry.id} class=${entry.status >= 400 ? "refused" : ""}>
      <td class="num" title=${utcOf(entry.time)}>${momentOf(entry.time)}</td>
      <td>${entry.who || html`<span class="quiet">${own.nobody}</span>`}</td>
      <td>${entry.what}${entry.about && entry.about !== entry.who && html` <span class="quiet">${entry.about}</span>`}${entry.status >= 400 && html` <em class="badge">${own.refused}</em>`}</td>
      <td>${entry.identities.map((number) => html`<a key=${number} href=${`#/people/${number}`}>#${number}</a> `)}</td>
      <td class="quiet">${entry.address || entry.way}</td>
    </tr>`)}</tbody></table>`;
}
