// The API's reference from its own description, without anything from another host; requests that only read can be tried.
import { html, useMemo, useState } from "../vendor/htm-preact-3.1.1.js";
import { base, get } from "../api.js";
import { useLoaded } from "../hooks.js";
import { Failed, Skeleton } from "../parts/states.js";
import { texts } from "../texts.js";

const own = texts.reference;
const SHOWN = 20_000; // characters of an answer

export function Reference() {
  const loaded = useLoaded(() => get("openapi.json"), []);
  const [sought, setSought] = useState("");
  const groups = useMemo(() => groupsOf(loaded.value, sought.trim().toLowerCase()), [loaded.value, sought]);
  if (loaded.loading) return html`<${Skeleton} rows=${6} />`;
  if (!loaded.value) return html`<${Failed} error=${loaded.error} again=${loaded.reload} />`;
  const { info, openapi } = loaded.value;
  return html`<section class="reference">
    <header class="tools"><h1>API <small>climbtrack ${info.version}, OpenAPI ${openapi}</small></h1><span class="grow" />
      <input type="search" class="find" placeholder=${own.find} aria-label=${own.find} value=${sought} onInput=${(e) => setSought(e.target.value)} />
      <a href=${new URL("openapi.json", base).href}>openapi.json</a></header>
    ${[...groups].map(([group, routes]) => html`<div key=${group}><h2>${group}</h2>
      ${routes.map((route) => html`<${Route} key=${route.method + route.path} route=${route} schemas=${loaded.value.components.schemas} />`)}</div>`)}
  </section>`;
}

function groupsOf(description, sought) {
  const groups = new Map();
  for (const [path, methods] of Object.entries(description?.paths ?? {}))
    for (const [method, route] of Object.entries(methods)) {
      if (sought && !`${method} ${path} ${route.description ?? ""}`.toLowerCase().includes(sought)) continue;
      const group = route.tags?.[0] ?? "other";
      groups.set(group, [...(groups.get(group) ?? []), { ...route, method, path }]);
    }
  return groups;
}

function Route({ route, schemas }) {
  const [summary, ...rest] = (route.description ?? route.summary).split("\n\n");
  const body = route.requestBody?.content?.["application/json"]?.schema;
  const answers = Object.entries(route.responses);
  return html`<details class="route"><summary><code class=${`method ${route.method}`}>${route.method.toUpperCase()}</code> <code>${route.path}</code> <span>${summary.replace(/`/g, "")}</span></summary>
    ${rest.map((text) => html`<p>${text.replace(/`/g, "")}</p>`)}
    ${route.parameters?.length > 0 && html`<table class="rows"><tbody>${route.parameters.map((one) => html`<tr key=${one.name}>
      <td><code>${one.name}</code></td><td>${one.in}${one.required ? `, ${own.required}` : ""}</td><td class="quiet">${typeOf(one.schema)}</td></tr>`)}</tbody></table>`}
    ${body && html`<h3>${own.body}</h3><pre>${shapeOf(body, schemas)}</pre>`}
    <h3>${own.answers}</h3>
    ${answers.map(([code, answer]) => {
      const schema = answer.content?.["application/json"]?.schema;
      return html`<p key=${code}><code>${code}</code> ${answer.description}${!schema && answer.content ? `: ${Object.keys(answer.content).join(", ")}` : ""}</p>
        ${schema && html`<pre>${shapeOf(schema, schemas)}</pre>`}`;
    })}
    ${route.method === "get" && !/events/.test(route.path) && html`<${Try} route=${route} />`}
  </details>`;
}

function Try({ route }) {
  const [given, setGiven] = useState({});
  const [answer, setAnswer] = useState(null);
  const address = () => {
    const path = route.path.replace(/\{(\w+)(?::\w+)?\}/g, (_, name) => (given[name] ?? "").split("/").map(encodeURIComponent).join("/"));
    const url = new URL(path.slice(1), base);
    for (const { name, in: place } of route.parameters ?? []) if (place === "query" && given[name]) url.searchParams.set(name, given[name]);
    return url;
  };
  const send = async (event) => {
    event.preventDefault();
    const got = await fetch(address(), { credentials: "same-origin" }).catch((error) => ({ status: 0, text: async () => error.message, headers: new Headers() }));
    if (got.headers.get("content-type")?.startsWith("image/")) return setAnswer({ status: got.status, picture: URL.createObjectURL(await got.blob()) });
    const text = await got.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    return setAnswer({ status: got.status, text: shown.slice(0, SHOWN) });
  };
  return html`<form class="try" onSubmit=${send}>
    ${(route.parameters ?? []).map(({ name, required }) => html`<label key=${name}>${name}<input required=${required} value=${given[name] ?? ""} onInput=${(e) => setGiven({ ...given, [name]: e.target.value })} /></label>`)}
    <button class="primary">${own.send}</button>
    ${answer && html`<p><code>${answer.status}</code> <code class="address">curl "${address().href}"</code></p>
      ${answer.picture ? html`<img src=${answer.picture} alt=${own.answers} />` : html`<pre>${answer.text}</pre>`}`}
  </form>`;
}

const nameOf = (reference) => reference.split("/").at(-1);

function typeOf(schema) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.anyOf) return schema.anyOf.map(typeOf).filter((type) => type !== "null").join(own.or);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return own.listOf(typeOf(schema.items ?? {}));
  const bounds = [schema.minimum !== undefined && own.from(schema.minimum), schema.maximum !== undefined && own.to(schema.maximum)].filter(Boolean);
  const standard = schema.default !== undefined && schema.default !== "" ? [own.standard(schema.default)] : [];
  return [schema.type ?? own.anything, ...bounds, ...standard].join(", ");
}

// A schema as the JSON it describes, with types in the place of values.
function shapeOf(schema, schemas, indent = "", within = []) {
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    return within.includes(name) ? name : shapeOf(schemas[name] ?? {}, schemas, indent, [...within, name]);
  }
  if (schema.anyOf) {
    const kinds = schema.anyOf.map((one) => shapeOf(one, schemas, indent, within));
    return kinds.join(own.or);
  }
  if (schema.type === "array") return `[${shapeOf(schema.items ?? {}, schemas, indent, within)}, …]`;
  if (!schema.properties) return typeOf(schema);
  const inner = `${indent}  `;
  const lines = Object.entries(schema.properties).map(([name, one]) => `${inner}"${name}": ${shapeOf(one, schemas, inner, within)}`);
  return `{\n${lines.join(",\n")}\n${indent}}`;
}
