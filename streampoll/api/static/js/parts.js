/** Small pieces that several views show. */

import { h, setAttribute, setText } from "./dom.js";

const FAILED_BADLY = new Set(["refused", "auth", "decode", "error", "config", "crashed", "timeout", "unreachable"]);
const WARNED = new Set(["partial", "expired", "draining", "starting", "paused", "warning"]);
const WELL = new Set(["ok", "running", "up", "active"]);

/** The kind of a state: ok, warn, bad, or "" for one that is not known. */
export const kindOf = (word) =>
  WELL.has(word) ? "ok" : WARNED.has(word) ? "warn" : FAILED_BADLY.has(word) || ["silent", "deaf", "critical", "down"].includes(word) ? "bad" : "";

/** A state as mark and word; set(word) changes it, what is shown may be another text. */
export function stateOf(word) {
  const node = h("span", {});
  const set = (given, words = given) => {
    setAttribute(node, "class", `state ${kindOf(given)}`.trim());
    setText(node, words || "unknown");
  };
  set(word);
  return { node, set };
}

/** A link to a device's page. */
export const deviceLink = (name) => h("a", { href: devicePath(name), class: "clip", title: name }, name);
export const devicePath = (name) => `#/devices/${encodeURIComponent(name)}`;

/** Cells with texts; update(texts) changes them. Marks: [text, class] puts a class on the cell. */
export function cells(node, names) {
  const made = names.map((name) => h("td", { class: name }));
  node.append(...made);
  return (values) => made.forEach((cell, place) => filled(cell, values[place], names[place]));
}

function filled(cell, value, name) {
  const [text, mark] = Array.isArray(value) ? value : [value, ""];
  if (text instanceof Node) {
    if (cell.firstChild !== text) cell.replaceChildren(text);
    return;
  }
  setText(cell, text ?? "–");
  setAttribute(cell, "class", [name, mark].filter(Boolean).join(" ") || null);
}

/** A table: heads are [text, class, what is said of it where no text is shown]; returns {node, body}. */
export function table(label, heads) {
  const body = h("tbody", {});
  const node = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, heads.map(heading))), body));
  return { node, body };
}

const heading = ([text, kind, said]) =>
  h("th", { scope: "col", class: kind ?? null }, text || h("span", { class: "only-said" }, said));
