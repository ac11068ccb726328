// The page: which view is open, and what surrounds it.
import { html, render, useCallback, useEffect, useState } from "./vendor/htm-preact-3.1.1.js";
import { get } from "./api.js";
import { may, me, setMe } from "./access.js";
import { useKeys } from "./hooks.js";
import { Banner } from "./parts/causes.js";
import { Toasts } from "./parts/toast.js";
import { texts } from "./texts.js";
import { AccessView } from "./views/access.js";
import { Alerts } from "./views/alerts.js";
import { Cameras } from "./views/cameras.js";
import { Health } from "./views/health.js";
import { Live } from "./views/live.js";
import { People } from "./views/people.js";
import { Person } from "./views/person.js";
import { Reference } from "./views/reference.js";
import { Review } from "./views/review.js";
import { Search } from "./views/search.js";
import { SignIn } from "./views/signin.js";
import { Start } from "./views/start.js";

const VIEWS = { live: Live, people: People, review: Review, search: Search, cameras: Cameras, alerts: Alerts, health: Health, api: Reference, access: AccessView, start: Start };
const NEEDS = { review: "operator", start: "admin" }; // views that only serve to change something
const ICONS = {
  live: "M3 6h11v12H3zM14 10l7-3v10l-7-3",
  people: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-7 7-7s7 3 7 7M16 4a4 4 0 0 1 0 7M18 14c3 1 4 4 4 7",
  review: "M4 5h7v14H4zM13 5h7v14h-7M6.5 12l1.5 1.5 2-3",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.3 15.3L20.5 20.5",
  cameras: "M4 8h4l2-3h4l2 3h4v11H4zM12 17a4 4 0 1 0 0-8 4 4 0 0 0 0 8z",
  alerts: "M6 16v-5a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
  health: "M3 13h4l2-6 4 11 3-8 1 3h4",
  api: "M8 6l-5 6 5 6M16 6l5 6-5 6",
};

const ICON_OF_ME = "M12 12a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM4 21c0-4.5 3.5-7 8-7s8 2.5 8 7";

const routeOf = () => {
  const [view = "live", ...rest] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);
  return { view, path: rest.join("/") };
};

function App() {
  const [route, setRoute] = useState(routeOf);
  const [session, setSession] = useState(null);
  const [drawer, setDrawer] = useState(null);
  const check = useCallback(() => get("v1/session").then((known) => setSession(setMe(known) && { ...known }), () => setSession({ needed: false, open: true })), []);
  useEffect(() => {
    check();
    const changed = () => { setRoute(routeOf()); setDrawer(null); };
    window.addEventListener("hashchange", changed);
    window.addEventListener("signed-out", check);
    return () => {
      window.removeEventListener("hashchange", changed);
      window.removeEventListener("signed-out", check);
    };
  }, []);
  useKeys((event) => event.key === "Escape" ? setDrawer(null) : event.key === "/" && (event.preventDefault(), go("search")));
  const go = (to) => (location.hash = `#/${to}`);
  if (!session) return null;
  if (!session.open) return html`<${SignIn} done=${check} />`;
  const onPerson = (id) => (route.view === "live" && window.innerWidth >= 900 ? setDrawer(id) : go(`people/${id}`));
  const [, single, opened, at] = route.view === "people" && /^(\d+)(?:\/(\w+)(?:\/(\d+))?)?$/.exec(route.path) || []; // a person, a tab of theirs, a moment
  const View = may(NEEDS[route.view] ?? "viewer") && VIEWS[route.view] || Live;
  return html`<div class="app" data-role=${me.role ?? "viewer"}>
    <nav class="rail" aria-label=${texts.viewsLabel}>
      <a class="brand" href="#/live"><img src="assets/icon.svg" alt="" width="24" height="24" /><span>climbtrack</span></a>
      ${Object.keys(ICONS).filter((view) => may(NEEDS[view] ?? "viewer")).map((view) => html`<a key=${view} href=${`#/${view}`} aria-label=${texts.views[view]} title=${texts.views[view]} aria-current=${route.view === view ? "page" : undefined}>
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[view]} /></svg><span>${texts.views[view]}</span></a>`)}
      <a class="me" href="#/access" aria-label=${texts.views.access} title=${texts.access.signedInAs(me)} aria-current=${route.view === "access" ? "page" : undefined}>
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d=${ICON_OF_ME} /></svg><span>${me.way === "open" ? texts.views.access : me.name}</span></a>
    </nav>
    <main><${Banner} view=${route.view} />${!single && route.view !== "start" && html`<h1 class="unseen">${texts.views[route.view] ?? texts.views.live}</h1>`}${single
      ? html`<${Person} key=${route.path} id=${Number(single)} opened=${opened} at=${Number(at ?? 0)} go=${go} />`
      : html`<${View} path=${route.path} onPerson=${onPerson} go=${go} />`}</main>
    ${drawer !== null && html`<aside class="drawer"><${Person} key=${drawer} id=${drawer} onClose=${() => setDrawer(null)} go=${go} /></aside>`}
    <${Toasts} />
  </div>`;
}

render(html`<${App} />`, document.getElementById("app"));
