/** Questions to the user, and what is said in passing. */

import { h } from "./dom.js";

const SAID_MS = 6000;

/** Ask before something is done; true if so. */
export function sure(title, words, verb) {
  return asked(title, [h("p", {}, words)], verb, () => true);
}

/** Ask for a line of text; null if the user would rather not. `kind` is an input's type. */
export function line(title, words, label, verb, kind = "text") {
  const input = h("input", { type: kind, autocomplete: "off", class: "input", maxlength: "500" });
  return asked(title, [h("p", {}, words), h("label", { class: "field" }, label, input)], verb, () => input.value);
}

/** Ask for several things: `rows` is {name: [label, field]}; false if the user would rather not. */
export function fields(title, words, rows, verb) {
  const body = Object.values(rows).map(([label, field]) => h("label", { class: "field" }, label, field));
  return asked(title, [h("p", {}, words), ...body], verb, () => true);
}

/** Say something at the edge of the page, for a while; errors are said at once by screen readers. */
export function say(words, kind = "done") {
  const node = h("p", { class: `said ${kind}`, role: kind === "error" ? "alert" : "status" }, words);
  document.getElementById("said").append(node);
  setTimeout(() => node.remove(), SAID_MS);
}

/** Do something, and say what became of it. */
export async function acted(action, words) {
  try {
    await action();
    say(words);
    return true;
  } catch (error) {
    say(error.message, "error");
    return false;
  }
}

function asked(title, body, verb, answer) {
  return new Promise((resolve) => {
    const end = (value) => {
      dialog.close();
      dialog.remove();
      resolve(value);
    };
    const yes = h("button", { type: "button", class: "button primary", onclick: () => end(answer()) }, verb);
    const no = h("button", { type: "button", class: "button", onclick: () => end(null) }, "Cancel");
    const dialog = h("dialog", { class: "dialog", "aria-label": title, oncancel: () => end(null),
      onkeydown: (event) => entered(event) && yes.click() },
      h("h2", {}, title), ...body, h("div", { class: "dialog-end" }, no, yes));
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Tell whether Enter was pressed in a field; it is used up, or it would press what has the focus when the dialog is gone. */
function entered(event) {
  if (event.key !== "Enter" || event.target.tagName !== "INPUT") return false;
  event.preventDefault();
  return true;
}
