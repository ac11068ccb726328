// Times as people say them: local, with UTC as a title.
import { texts } from "./texts.js";

const own = texts.times;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export const clockOf = (time) => clock.format(new Date(time));
export const minuteOf = (time) => minute.format(new Date(time));
export const utcOf = (time) => new Date(time).toISOString().replace("T", " ").replace("Z", " UTC");

export function momentOf(time) {
  const date = new Date(time);
  const today = new Date().toDateString() === date.toDateString();
  return today ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

export function durationOf(seconds) {
  if (seconds < 1) return own.hardly;
  if (seconds < 60) return own.seconds(Math.round(seconds));
  if (seconds < 3600) return own.minutes(Math.floor(seconds / 60), String(Math.round(seconds % 60)).padStart(2, "0"));
  return own.hours(Math.floor(seconds / 3600), String(Math.round((seconds % 3600) / 60)).padStart(2, "0"));
}

export function agoOf(time, now = Date.now()) {
  const seconds = (now - new Date(time).getTime()) / 1000;
  if (seconds < 5) return own.now;
  if (seconds < 60) return own.ago(Math.round(seconds), "s");
  if (seconds < 3600) return own.ago(Math.round(seconds / 60), "min");
  if (seconds < 86400) return own.ago(Math.round(seconds / 3600), "h");
  return own.ago(Math.round(seconds / 86400), "days");
}
