/** The flow as a living picture: coordinator, shards, workers, PostgreSQL, with depth and rate on each edge. */

import { card, h, keep, s, setAttribute, setText } from "../dom.js";
import { rate, seconds, short, span } from "../format.js";
import { dispatchRate, state, summed } from "../store.js";

const WIDE = { view: "0 0 1160 236", at: [[14, 48, 172, 130], [330, 14, 240, 198], [714, 14, 206, 198], [1000, 48, 146, 130]] };
const TALL = { view: "0 0 380 716", at: [[60, 8, 260, 84], [60, 178, 260, 190], [60, 454, 260, 144], [60, 672, 260, 38]] };
const NARROW_PX = 720;
const MOST_CELLS = 64;
const MOST_WORKERS = 24;
const DASHES = 28; // two dashes with their gaps: what moves begins so far under the node before, and ends under the next
const FULL_DEPTH = 2000; // waiting in a shard, at which its square is filled

export function flow() {
  const box = h("div", { class: "flow" });
  const others = h("dl", { class: "other-queues" });
  const node = card("The flow", { class: "flow-card" }, box, others);
  let drawn = null;
  let narrow = null;
  const fit = () => {
    const now = box.clientWidth > 0 && box.clientWidth < NARROW_PX;
    if (now === narrow) return;
    narrow = now;
    drawn = picture(narrow ? TALL : WIDE, narrow);
    box.replaceChildren(drawn.node);
    if (state.stats) drawn.update(state.stats);
  };
  const resized = new ResizeObserver(fit);
  resized.observe(box);
  const update = (stats) => {
    fit();
    drawn?.update(stats);
    keep(others, otherQueues(stats), (each) => each.queue, otherQueue);
  };
  return { node, update, end: () => resized.disconnect() };
}

function picture({ view, at }, tall) {
  const parts = [coordinator(at[0]), shards(at[1]), workers(at[2]), database(at[3], tall)];
  const edges = [
    edge(at[0], at[1], tall, "dispatched", "due polls, coordinator to shards"),
    edge(at[1], at[2], tall, "polled", "polls, shards to workers"),
    edge(at[2], at[3], tall, "stored", "results, workers to PostgreSQL"),
  ];
  const node = s("svg", { viewBox: view, class: "flow-picture", role: "img", "aria-label": "Coordinator, shards, workers, PostgreSQL" },
    edges.map((each) => each.node), parts.map((each) => each.node));
  const update = (stats) => {
    for (const part of parts) part.update(stats);
    edges[0].update(dispatchRate(), null, stats.leader !== null);
    edges[1].update(summed(stats, "polling", "rate_per_s"), summed(stats, "polling", "waiting"), true);
    edges[2].update(summed(stats, "results", "rate_per_s"), summed(stats, "results", "waiting"), true);
    setAttribute(node, "aria-label", inWords(stats));
  };
  return { node, update };
}

function inWords(stats) {
  const said = (queue) => `${rate(summed(stats, queue, "rate_per_s"))} a second, ${short(summed(stats, queue, "waiting"))} waiting`;
  return `Coordinator to shards: ${rate(dispatchRate())} polls a second. Shards to workers: ${said("polling")}. Workers to PostgreSQL: ${said("results")}.`;
}

// -- nodes

function frame([x, y, width, height], title, ...children) {
  return s("g", { class: "flow-node", transform: `translate(${x} ${y})` },
    s("rect", { width, height, rx: 12 }),
    s("text", { x: 16, y: 27, class: "flow-title" }, title), children);
}

const label = (x, y, kind = "") => s("text", { x, y, class: `flow-text ${kind}`.trim() }, "–");

function coordinator(place) {
  const [lines, small] = [label(16, 52), label(16, 72, "faint")];
  const node = frame(place, "Coordinator", lines, small);
  const update = ({ leader, troubles }) => {
    setText(lines, leader ? "leads" : troubles.length ? "not known" : "nobody leads");
    setAttribute(node, "data-bad", !leader && !troubles.length ? "true" : null);
    setText(small, leader ? `for ${span(leader.since_s)}` : "");
  };
  return { node, update };
}

function shards(place) {
  const [, , width, height] = place;
  const cells = s("g", { transform: "translate(16 42)" });
  const small = label(16, height - 14, "faint");
  const update = (stats) => {
    const rows = stats.queues.filter((row) => row.queue === "polling" && row.shard !== null).slice(0, MOST_CELLS);
    const columns = rows.length > 32 ? 11 : rows.length > 16 ? 8 : 6;
    const side = Math.min(34, (width - 32 + 5) / columns) - 5;
    keep(cells, rows.map((row, number) => ({ ...row, number, columns, side })), (row) => `${row.shard}/${columns}`, shardCell);
    const known = new Set(stats.queues.map((row) => row.shard)).size;
    setText(small, `${known || "–"} shards · oldest ${seconds(worst(rows))}`);
  };
  return { node: frame(place, "Shards in Redis", cells, small), update };
}

const worst = (rows) => rows.reduce((age, row) => (row.oldest_s > (age ?? -1) ? row.oldest_s : age), null);

function shardCell({ number, columns, side }) {
  const [x, y] = [(number % columns) * (side + 5), Math.floor(number / columns) * (side + 5)];
  const fill = s("rect", { class: "shard-fill", x: 0, width: side });
  const title = s("title", {});
  const node = s("g", { class: "shard", transform: `translate(${x} ${y})` },
    s("rect", { class: "shard-box", width: side, height: side, rx: 5 }), fill, title);
  const update = (row) => {
    const part = row.waiting === null ? 0 : Math.min(1, Math.sqrt(row.waiting / FULL_DEPTH));
    setAttribute(fill, "y", (side * (1 - part)).toFixed(1));
    setAttribute(fill, "height", (side * part).toFixed(1));
    setAttribute(node, "data-kind", row.dead > 0 ? "dead" : row.home === null ? "homeless" : row.in_flight > 0 ? "busy" : null);
    setText(title, `shard ${row.shard}: ${short(row.waiting)} waiting, ${short(row.in_flight)} in flight, home ${row.home ?? "–"}`);
  };
  return { node, update };
}

function workers(place) {
  const [, , width, height] = place;
  const bars = s("g", { transform: "translate(16 44)" });
  const small = label(16, height - 14, "faint");
  const update = (stats) => {
    const shown = stats.workers.slice(0, MOST_WORKERS);
    const top = Math.max(1, ...shown.map((worker) => worker.in_flight ?? 0));
    const step = Math.min(20, (height - 78) / Math.max(1, shown.length));
    keep(bars, shown.map((worker, number) => ({ worker, number, step, top, width: width - 32 })), ({ worker }) => worker.id, workerBar);
    const busy = summed(stats, "polling", "in_flight");
    setText(small, stats.workers.length ? `${stats.workers.length} processes · ${short(busy)} in flight` : "none is alive");
  };
  return { node: frame(place, "Workers", bars, small), update };
}

function workerBar() {
  const [back, bar, title] = [s("rect", { class: "bar-back", rx: 3 }), s("rect", { class: "bar", rx: 3 }), s("title", {})];
  const node = s("g", {}, back, bar, title);
  const update = ({ worker, number, step, top, width }) => {
    setAttribute(node, "transform", `translate(0 ${(number * step).toFixed(1)})`);
    for (const each of [back, bar]) setAttribute(each, "height", Math.max(2, step - 5).toFixed(1));
    setAttribute(back, "width", width);
    setAttribute(bar, "width", (((worker.in_flight ?? 0) / top) * width).toFixed(1));
    setAttribute(node, "data-kind", worker.state === "running" ? null : worker.state ?? "unknown");
    setText(title, `${worker.id}: ${worker.state ?? "–"}, ${short(worker.in_flight)} in flight, ${rate(worker.rate_per_s)} done a second`);
  };
  return { node, update };
}

function database(place, tall) {
  const lines = label(tall ? 130 : 16, tall ? 26 : 52);
  const small = label(16, 72, "faint");
  const update = (stats) => {
    setText(lines, `${rate(summed(stats, "results", "rate_per_s"))} rows/s`);
    setText(small, tall ? "" : `oldest ${seconds(worst(stats.queues.filter((row) => row.queue === "results")))}`);
  };
  return { node: frame(place, "PostgreSQL", lines, small), update };
}

// -- edges

function edge(from, to, tall, verb, words) {
  const path = (under) => (tall
    ? `M${from[0] + from[2] / 2} ${from[1] + from[3] - under}V${to[1]}`
    : `M${from[0] + from[2] - under} ${from[1] + from[3] / 2}H${to[0]}`);
  const [x, y] = tall
    ? [from[0] + from[2] / 2 + 16, (from[1] + from[3] + to[1]) / 2 - 4]
    : [(from[0] + from[2] + to[0]) / 2, from[1] + from[3] / 2];
  const anchor = tall ? "start" : "middle";
  const [fast, deep] = [
    s("text", { x, y: tall ? y : y - 16, class: "flow-rate", "text-anchor": anchor }, "–"),
    s("text", { x, y: tall ? y + 20 : y + 28, class: "flow-text faint", "text-anchor": anchor }, ""),
  ];
  const line = s("path", { d: path(0), class: "flow-line" });
  const moving = s("path", { d: path(DASHES), class: `flow-moving ${tall ? "down" : ""}`.trim(), "data-speed": "0" });
  const node = s("g", { class: "flow-edge" }, s("title", {}, words), line, moving, fast, deep);
  const update = (perSecond, depth, shown) => {
    setText(fast, shown ? `${rate(perSecond)}/s` : "–");
    setText(deep, depth === null ? verb : `${short(depth)} waiting`);
    setAttribute(moving, "data-speed", speed(perSecond));
    setAttribute(node, "data-deep", depth > FULL_DEPTH ? "true" : null);
  };
  return { node, update };
}

/** How fast an edge moves, 0 to 4: a step for each factor of ten. */
const speed = (perSecond) => (perSecond > 0 ? Math.max(1, Math.min(4, Math.ceil(Math.log10(perSecond)))) : 0);

// -- the classes beside the flow

const otherQueues = (stats) =>
  [...new Set(stats.queues.map((row) => row.queue))]
    .filter((queue) => queue !== "polling" && queue !== "results")
    .map((queue) => ({ queue, waiting: summed(stats, queue, "waiting"), flying: summed(stats, queue, "in_flight"), done: summed(stats, queue, "rate_per_s") }));

function otherQueue() {
  const [name, figures] = [h("dt", {}), h("dd", { class: "number" })];
  const node = h("div", {}, name, figures);
  const update = ({ queue, waiting, flying, done }) => {
    setText(name, queue);
    setText(figures, `${short(waiting)} waiting · ${short(flying)} in flight · ${rate(done)}/s`);
  };
  return { node, update };
}
