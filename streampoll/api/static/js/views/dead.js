/** Dead letters: entries that nobody could serve, with the cause; each can be put back to work. */

import { acted, sure } from "../dialogs.js";
import { card, empty, h, keep, setShown, setText } from "../dom.js";
import { ago, count } from "../format.js";
import { cells, deviceLink, table } from "../parts.js";
import { refreshed, trouble } from "../refresh.js";
import { deadLetters, requeue } from "../source.js";
import { acting } from "../who.js";

const EVERY_MS = 5000;
const HEADS = [["Entry", "wide"], ["Buried"], ["Job", "wide"], ["Device"], ["Cause"], ["", null, "Actions"]];
const NAMES = ["wide nowrap small", "nowrap muted", "wide", "clip-cell", "wrap", "actions"];

export function dead() {
  const { node: grid, body } = table("Dead letters", HEADS);
  const [nothing, wrong] = [empty("There are no dead letters: everything could be served."), trouble()];
  const told = h("p", { class: "muted small", role: "status" });
  const view = { letters: [] };
  const all = acting("Put all back to work", () => requeueAll(view.letters, asked), "");
  const node = h("div", {}, h("div", { class: "page-head" }, h("h1", {}, "Dead letters"), h("div", { class: "end" }, all)),
    card("Entries that nobody could serve", {}, wrong.node, grid, nothing, told));
  nothing.hidden = all.hidden = true;
  const show = (data) => {
    wrong.say(null);
    view.letters = data.letters;
    setShown(nothing, !data.letters.length);
    setShown(grid, data.letters.length);
    setShown(all, data.letters.length > 1);
    setText(told, data.letters.length ? `${count(data.letters.length)}${data.more ? ", and more" : ""}, the oldest first in each shard` : "");
    keep(body, data.letters, (letter) => letter.name, (letter) => letterRow(letter, asked));
  };
  const asked = refreshed(deadLetters, show, EVERY_MS, wrong.say);
  return { node, title: "Dead letters", end: asked.end };
}

function letterRow(letter, asked) {
  const node = h("tr", {});
  const fill = cells(node, NAMES);
  const back = acting("Requeue", () => putBack(letter, asked));
  const device = letter.device ? deviceLink(letter.device) : "–";
  const update = (now) => fill([now.name, ago(now.buried), now.job ?? "–", device, now.cause, back]);
  return { node, update };
}

async function putBack(letter, asked) {
  if (await acted(() => requeued([letter.name]), `${letter.name} is back in its queue.`)) asked.now();
}

/** Put letters back; that some are gone is a failure. */
async function requeued(names) {
  const { gone } = await requeue(names);
  if (gone.length) throw new Error(`${count(gone.length)} of ${count(names.length)} were not put back: gone, or not readable`);
}

async function requeueAll(letters, asked) {
  const words = `${count(letters.length)} entries are put back into their queues. A poll gets a new slot: now.`;
  if (!(await sure("Put all back to work?", words, "Put back"))) return;
  if (await acted(() => requeued(letters.map((letter) => letter.name)), `${count(letters.length)} entries are back in their queues.`)) asked.now();
}
