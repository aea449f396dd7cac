/**
 * Figures as people read them, as streampoll/observe/words.py writes them. An unknown one is "–", whatever it is of:
 * never a made-up zero.
 */

export const UNKNOWN = "–";

const isKnown = (value) => value !== null && value !== undefined && !Number.isNaN(value);
const grouped = (value, digits = 0) =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** Write 1204567 as "1,204,567". */
export const count = (value) => (isKnown(value) ? grouped(Math.round(value)) : UNKNOWN);

/** Write a long count in six places: "98,765", "1.20M". */
export function short(value) {
  if (!isKnown(value) || Math.abs(value) < 100000) return count(value);
  const [unit, scale] = value < 999500 ? ["k", 1e3] : value < 999.5e6 ? ["M", 1e6] : ["G", 1e9];
  const scaled = value / scale;
  return grouped(scaled, scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0) + unit;
}

/** Write a rate with three figures where there are so many: "3,012", "48.2", "0.25". */
export function rate(perSecond) {
  if (!isKnown(perSecond)) return UNKNOWN;
  return grouped(perSecond, perSecond >= 99.95 || perSecond === 0 ? 0 : perSecond >= 9.995 ? 1 : 2);
}

/** Write a measured time: "3.2 ms", "48 ms", "1.25 s", "310 s". */
export function seconds(value) {
  if (!isKnown(value)) return UNKNOWN;
  if (value < 0.9995) return `${grouped(value * 1000, value > 0 && value < 0.00995 ? 1 : 0)} ms`;
  return `${grouped(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} s`;
}

/** Write milliseconds as `seconds` does. */
export const millis = (value) => (isKnown(value) ? seconds(value / 1000) : UNKNOWN);

/** Write a long time by its two greatest units: "42s", "5m03s", "12d04h". */
export function span(value) {
  if (!isKnown(value)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(value));
  const amounts = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  const first = amounts.findIndex((amount) => amount > 0);
  if (first < 0 || first === 3) return `${whole}s`;
  const units = "dhms";
  const lesser = amounts[first + 1];
  return `${amounts[first]}${units[first]}${lesser ? String(lesser).padStart(2, "0") + units[first + 1] : ""}`;
}

/** Write bytes in binary units: "58 MB", "1.2 GB". */
export function size(bytes) {
  if (!isKnown(bytes)) return UNKNOWN;
  const megabytes = bytes / (1 << 20);
  return megabytes >= 1000 ? `${grouped(megabytes / 1024, 1)} GB` : `${grouped(megabytes)} MB`;
}

/** Write a part of a whole in per cent; never 100 % or 0 % unless it is exactly that. */
export function share(part, whole) {
  if (!isKnown(part) || !whole) return UNKNOWN;
  const percent = (100 * part) / whole;
  const rounded = Math.round(percent * 10) / 10;
  if ((rounded === 0 || rounded === 100) && rounded !== percent) return rounded ? ">99.9 %" : "<0.1 %";
  return `${rounded} %`;
}

/** Write a rate of a unit with SI prefixes: 12345678, "bit/s" is "12.3 Mbit/s". */
export function scaled(value, unit = "") {
  if (!isKnown(value)) return UNKNOWN;
  const size = Math.abs(value);
  const [prefix, by] = size >= 999.5e9 ? ["T", 1e12] : size >= 999.5e6 ? ["G", 1e9] : size >= 999.5e3 ? ["M", 1e6]
    : size >= 999.5 ? ["k", 1e3] : ["", 1];
  const shown = value / by;
  const digits = Math.abs(shown) >= 99.95 || shown === 0 ? 0 : Math.abs(shown) >= 9.995 ? 1 : 2;
  return `${grouped(shown, digits)} ${prefix}${unit}`.trim();
}

/** Seconds since the epoch of an ISO date or of a number; null where it is neither. */
export function epoch(moment) {
  if (typeof moment === "number") return moment;
  const parsed = moment ? Date.parse(moment) / 1000 : NaN;
  return Number.isNaN(parsed) ? null : parsed;
}

const pad = (number) => String(number).padStart(2, "0");

/** Write a moment in local time: "14:03:21", with its date where that is not today. */
export function clock(moment) {
  const at = epoch(moment);
  if (at === null) return UNKNOWN;
  const date = new Date(at * 1000);
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  const today = date.toDateString() === new Date().toDateString();
  return today ? time : `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time}`;
}

/** Write how long ago a moment was: "5m03s ago". */
export function ago(moment, now = Date.now() / 1000) {
  const at = epoch(moment);
  return at === null ? UNKNOWN : `${span(now - at)} ago`;
}

/** Add up; null if a part is unknown or there is none. */
export function total(parts) {
  const known = parts.filter(isKnown);
  return parts.length && known.length === parts.length ? known.reduce((sum, part) => sum + part, 0) : null;
}

/** The greatest of what is known; null where nothing is. */
export function most(parts) {
  const known = parts.filter(isKnown);
  return known.length ? Math.max(...known) : null;
}
