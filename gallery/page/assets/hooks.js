// What several views share: loading, repeating, listening.
import { useCallback, useEffect, useRef, useState } from "./vendor/htm-preact-3.1.1.js";
import { base } from "./api.js";

// {value, error, loading, reload}; the last value stays while it is loaded again.
export function useLoaded(load, inputs = [], everyMs = 0) {
  const [state, setState] = useState({ value: undefined, error: null });
  const latest = useRef(0);
  const reload = useCallback(async () => {
    const mine = ++latest.current;
    try {
      const value = await load();
      if (mine === latest.current) setState({ value, error: null });
    } catch (error) {
      if (mine === latest.current) setState((before) => ({ ...before, error }));
    }
  }, inputs);
  useEffect(() => {
    setState({ value: undefined, error: null });
    reload();
    if (!everyMs) return () => latest.current++;
    const timer = setInterval(() => document.hidden || reload(), everyMs);
    return () => {
      latest.current++;
      clearInterval(timer);
    };
  }, [reload, everyMs]);
  return { ...state, loading: state.value === undefined && !state.error, reload };
}

// One stream of changes for the whole page; views listen to it while they are open.
const listeners = new Set();
let source = null;

function openStream() {
  source = new EventSource(new URL("v1/events", base)); // which goes on after the last event when it comes back
  source.addEventListener("missed", () => window.dispatchEvent(new Event("people-changed")));
  for (const kind of ["created", "matched", "updated", "merged", "split", "expired", "erased"]) {
    source.addEventListener(kind, (message) => {
      const event = JSON.parse(message.data);
      for (const listener of listeners) listener(event);
    });
  }
}

export function useEvents(listener, inputs = []) {
  useEffect(() => {
    listeners.add(listener);
    if (!source) openStream();
    return () => {
      listeners.delete(listener);
      if (!listeners.size && source) {
        source.close();
        source = null;
      }
    };
  }, inputs);
}

// Returns a function that calls `action` at once, but not again within `everyMs`: then once, after that.
export function useCalm(action, everyMs = 2_000) {
  const latest = useRef(action), timer = useRef(0), again = useRef(false);
  latest.current = action;
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(function ask() {
    if (timer.current) return void (again.current = true);
    latest.current();
    timer.current = setTimeout(() => {
      timer.current = 0;
      if (again.current) ask();
    }, everyMs);
    again.current = false;
    return undefined;
  }, []);
}

// Calls `listener` after somebody has said something about people on this page.
export function usePeopleChanged(listener) {
  useEffect(() => {
    window.addEventListener("people-changed", listener);
    return () => window.removeEventListener("people-changed", listener);
  }, [listener]);
}

// Calls `listener` with every alert that is raised while a view is open.
export function useAlerts(listener, inputs = []) {
  useEffect(() => {
    const source = new EventSource(new URL("v1/alerts/stream", base));
    source.addEventListener("alert", listener);
    source.addEventListener("missed", listener);
    return () => source.close();
  }, inputs);
}

export function useNow(everyMs = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

// What takes letters and digits itself; a checkbox that was just pressed does not.
const TYPED = "textarea, select, input:not([type=checkbox], [type=radio], [type=range])";

// The handler of the latest rendering is called: one of an earlier rendering would act on what was shown then.
export function useKeys(handler) {
  const latest = useRef(handler);
  latest.current = handler;
  useEffect(() => {
    const listen = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.activeElement?.matches(TYPED)) return;
      latest.current(event);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
}
