/** How a device's polls went: a bar a poll, and the newest as lines with their errors. */

import { empty, h, keep, s, setAttribute, setShown, setText } from "../dom.js";
import { clock, count, millis } from "../format.js";
import { cells, kindOf, stateOf, table } from "../parts.js";
import { trouble } from "../refresh.js";

const BARS = 120;
const LINES = 8;
const [WIDTH, HEIGHT] = [960, 84];
const HEADS = [["Slot"], ["Job", "wide"], ["State"], ["took", "number"], ["stored after", "number wide"], ["requests", "number wide"], ["Error"]];
const NAMES = ["number-left nowrap", "wide", "", "number", "number wide", "number wide", "error"];

export function pollHistory() {
  const bars = s("svg", { class: "poll-bars", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": "Polls" });
  const [words, more] = [h("p", { class: "muted small end" }), h("button", { type: "button", class: "button slim", hidden: true }, "Show all")];
  const { node: grid, body } = table("Polls", HEADS);
  const [nothing, wrong] = [empty("No poll of the last six hours is stored."), trouble()];
  const node = h("section", { class: "card", "aria-label": "Poll history" },
    h("div", { class: "card-head" }, h("h2", {}, "Poll history"), words), wrong.node, bars, grid, more, nothing);
  const view = { polls: [], most: LINES };
  nothing.hidden = true;
  const draw = () => {
    const { polls } = view;
    setShown(nothing, !polls.length);
    for (const part of [bars, grid]) part.toggleAttribute("hidden", !polls.length);
    drawBars(bars, polls.slice(0, BARS));
    setText(words, polls.length ? inWords(polls) : "");
    setShown(more, polls.length > view.most);
    keep(body, polls.slice(0, view.most), (poll) => `${poll.slot}/${poll.job}`, pollRow);
  };
  more.addEventListener("click", () => ((view.most = Infinity), draw()));
  return { node, update: (data) => (wrong.say(null), (view.polls = data.polls), draw()), failed: wrong.say };
}

function inWords(polls) {
  const well = polls.filter((poll) => poll.status === "ok").length;
  const taken = polls.filter((poll) => kindOf(poll.status) !== "bad").map((poll) => poll.duration_ms).sort((a, b) => a - b);
  const median = taken.length ? millis(taken[Math.floor(taken.length / 2)]) : "–";
  return `${count(well)} of ${count(polls.length)} ok · p50 ${median}`;
}

/** The newest at the right; the height is the duration, on a scale of roots so that short ones are seen too. */
function drawBars(svg, polls) {
  const top = Math.max(1, ...polls.map((poll) => poll.duration_ms));
  const step = WIDTH / Math.max(30, polls.length);
  const placed = [...polls].reverse().map((poll, number) => ({ poll, x: WIDTH - (polls.length - number) * step, width: Math.max(1.5, step - 2.5), top }));
  keep(svg, placed, ({ poll }) => `${poll.slot}/${poll.job}`, pollBar);
  setAttribute(svg, "aria-label", `The last ${polls.length} polls; the longest took ${millis(top)}`);
}

function pollBar() {
  const title = s("title", {});
  const node = s("rect", { rx: 1.5 }, title);
  const update = ({ poll, x, width, top }) => {
    const height = Math.max(4, Math.sqrt(poll.duration_ms / top) * (HEIGHT - 6));
    for (const [name, value] of Object.entries({ x, width, y: HEIGHT - height, height })) setAttribute(node, name, value.toFixed(1));
    setAttribute(node, "data-kind", kindOf(poll.status) || "unknown");
    setText(title, `${clock(poll.slot)}  ${poll.job}: ${poll.status}, ${millis(poll.duration_ms)}${poll.error ? `, ${poll.error}` : ""}`);
  };
  return { node, update };
}

/** How many requests it took; of them, how many were sent again. */
function asked(poll) {
  return poll.retries ? `${count(poll.requests)} (${count(poll.retries)} again)` : count(poll.requests);
}

function pollRow() {
  const node = h("tr", {});
  const [fill, state] = [cells(node, NAMES), stateOf("")];
  const update = (poll) => {
    state.set(poll.status);
    fill([clock(poll.slot), poll.job, state.node, millis(poll.duration_ms), millis(poll.stored_ms), asked(poll), poll.error || ""]);
  };
  return { node, update };
}
