/** Who asks, and what they may do: the server says so, by the token that requests carry. It is the server that refuses. */

import { say } from "./dialogs.js";
import { h, setAttribute, setShown, setText } from "./dom.js";
import { whoami } from "./source.js";

const state = { name: "", role: "" }; // "": not known yet

const reason = () => `Token ${state.name} may only read; this needs the role operator.`;
const mayNot = () => state.role === "read";

/** A mark at the top for those who may only read. */
export const readOnly = h("span", { class: "read-only", role: "status", hidden: true });

/**
 * A button that acts. Who may not is told why by its title, and again when it is pressed: it stays where the keyboard
 * finds it.
 */
export function acting(words, act, kind = "slim") {
  const button = h("button", { type: "button", class: `button ${kind}`.trim(), "data-acts": "",
    onclick: () => (mayNot() ? say(reason(), "error") : act()) }, words);
  shown(button);
  return button;
}

function shown(button) {
  setAttribute(button, "aria-disabled", mayNot() ? "true" : null);
  setAttribute(button, "title", mayNot() ? reason() : null);
}

/** Ask who we are; until the server has answered, and where it can't, buttons can be pressed. */
export async function askWho() {
  try {
    Object.assign(state, await whoami());
  } catch {
    Object.assign(state, { name: "", role: "" });
  }
  setShown(readOnly, mayNot());
  setText(readOnly, mayNot() ? "read only" : "");
  setAttribute(readOnly, "title", mayNot() ? reason() : null);
  document.querySelectorAll("[data-acts]").forEach(shown);
}
