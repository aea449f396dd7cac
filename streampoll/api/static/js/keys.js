/** Keyboard shortcuts, and the overlay that lists them. */

import { h } from "./dom.js";

const SEQUENCE_MS = 1200; // between the "g" and the letter after it

/** Listen to keys: `shortcuts` is [[keys, words, action]], keys as "g d" or "?". */
export function shortcuts(list) {
  const actions = new Map(list.map(([keys, , action]) => [keys, action]));
  const overlay = helpOverlay(list);
  document.body.append(overlay);
  let prefix = "";
  let since = 0;
  document.addEventListener("keydown", (event) => {
    if (typing(event)) return;
    const keys = prefix && event.timeStamp - since < SEQUENCE_MS ? `${prefix} ${event.key}` : event.key;
    [prefix, since] = event.key === "g" ? ["g", event.timeStamp] : ["", 0];
    if (!actions.has(keys)) return;
    event.preventDefault();
    actions.get(keys)();
  });
  return { help: () => overlay.showModal() };
}

/** Tell whether a key is meant for somebody else. */
function typing(event) {
  const field = event.target.closest?.("input, textarea, select");
  return field || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]");
}

function helpOverlay(list) {
  const close = h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Close");
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "help-title" },
    h("h2", { id: "help-title" }, "Keyboard"),
    h("dl", { class: "keys" }, list.flatMap(([keys, words]) => [
      h("dt", {}, keys.split(" ").map((key) => h("kbd", {}, key === " " ? "space" : key))), h("dd", {}, words)])),
    h("dl", { class: "keys" },
      h("dt", {}, h("kbd", {}, "↑"), h("kbd", {}, "↓")), h("dd", {}, "move in a list"),
      h("dt", {}, h("kbd", {}, "Enter")), h("dd", {}, "open what is selected"),
      h("dt", {}, h("kbd", {}, "Esc")), h("dd", {}, "close this")),
    h("div", { class: "dialog-end" }, close));
  return dialog;
}
