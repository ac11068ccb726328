// Requests to the API beside which this page is served. Errors say what the API said.
import { texts } from "./texts.js";

export const base = new URL(".", document.baseURI);
const AGAIN_MS = 300;

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const request = (method, path, body) =>
  body === undefined ? send(method, path) : send(method, path, JSON.stringify(body), { "Content-Type": "application/json" });

async function send(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await asked(new URL(path, base), { method, headers, body, credentials: "same-origin" });
  } catch {
    throw new ApiError(0, texts.errors.silent);
  }
  if (answer.status === 401 && path !== "v1/session") window.dispatchEvent(new Event("signed-out"));
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new ApiError(answer.status, typeof told.detail === "string" ? told.detail : texts.errors.answered(answer.status));
  }
  return answer.status === 204 ? null : answer.json();
}

// What changes nothing is asked for twice: browsers drop requests when the network changes, though the API is as near as before.
export const asked = (address, options) => fetch(address, options).catch(async (error) => {
  if ((options.method ?? "GET") !== "GET" || options.signal?.aborted) throw error;
  await new Promise((done) => setTimeout(done, AGAIN_MS));
  return fetch(address, options);
});

export const get = (path) => request("GET", path);
export const findByPicture = (jpeg) => send("POST", "v1/search?limit=50", jpeg, { "Content-Type": jpeg.type });
export const post = (path, body = {}) => request("POST", path, body);
export const put = (path, body) => request("PUT", path, body);
export const del = (path) => request("DELETE", path);

export async function text(path) {
  const answer = await asked(new URL(path, base), {});
  return answer.ok ? answer.text() : "";
}

export const trackPath = (tracklet) => tracklet.split("/").map(encodeURIComponent).join("/");
export const cropUrl = (tracklet) => new URL(`v1/tracks/${trackPath(tracklet)}/crop`, base).href;

export const MOST_PEOPLE = 5_000; // that a page of the browser can show

// People, those seen last first.
export async function people(probability = "") {
  const all = [];
  let after = "";
  while (after !== null && all.length < MOST_PEOPLE) {
    const page = await get(`v1/identities?hidden=any&sort=last&limit=1000${probability && `&probability=${probability}`}${after && `&after=${after}`}`);
    all.push(...page.identities);
    after = page.next;
  }
  return all;
}

export function liveAddress(cameras, pictures) {
  const address = new URL("v1/live", base);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  address.searchParams.set("cameras", cameras.join(","));
  if (pictures.length) address.searchParams.set("pictures", pictures.join(","));
  return address.href;
}

// People who are not hidden, by a part of their name, or by a number that they have or had.
export async function findPeople(text, limit = 60) {
  const named = get(`v1/identities?sort=last&limit=${limit}&name=${encodeURIComponent(text)}`).then(({ identities }) => identities);
  const numbered = /^\d{1,15}$/.test(text) ? get(`v1/identities/${text}`).then((one) => (one.hidden ? [] : [one]), () => []) : [];
  const [first, others] = await Promise.all([numbered, named]);
  return [...first, ...others.filter(({ id }) => id !== first[0]?.id)];
}
