/** Worker processes, and the shards that each is the home of. */

import { card, empty, h, keep, setAttribute, setShown, setText } from "../dom.js";
import { count, rate, seconds, short, size, span } from "../format.js";
import { cells, stateOf, table } from "../parts.js";
import { listen } from "../store.js";
import { classesCard } from "./classes.js";

const LAG_S = 0.1; // a loop this late begins to see time-outs that are its own
const HEADS = [["Worker"], ["State"], ["in flight", "number"], ["done/s", "number"], ["done", "number wide"], ["memory", "number wide"],
  ["loop lag", "number wide"], ["up", "number wide"], ["Shards", "wide"]];
const NAMES = ["nowrap", "", "number", "number", "number wide", "number wide", "number wide", "number wide", "wide shards-cell"];

export function workersCard() {
  const { node: grid, body } = table("Workers", HEADS);
  const nothing = empty("No worker is alive: `streampoll worker` starts one.");
  const node = card("Workers and their shards", {}, grid, nothing);
  const update = (stats) => {
    setShown(grid, stats.workers.length);
    setShown(nothing, !stats.workers.length);
    setText(nothing, stats.troubles.length ? "Not known: Redis can't be read." : "No worker is alive: `streampoll worker` starts one.");
    const homes = homesOf(stats.queues);
    keep(body, ordered(stats.workers), (worker) => worker.id, workerRow(homes));
    for (const worker of stats.workers) body.kept.get(worker.id)?.homes(homes.get(worker.id) ?? []);
  };
  return { node, update };
}

export function workers() {
  const part = workersCard();
  const [classes, queues] = [classesCard(), queuesCard()];
  const node = h("div", {}, h("div", { class: "page-head" }, h("h1", {}, "Workers")), h("div", { class: "grid" }, part.node, classes.node, queues.node));
  const deaf = listen((stats) => [part, classes, queues].forEach((each) => each.update(stats)));
  return { node, title: "Workers", end: deaf };
}

const ordered = (list) =>
  [...list].sort((a, b) => (a.host ?? "").localeCompare(b.host ?? "") || (a.pool ?? "").localeCompare(b.pool ?? "") || (a.pid ?? 0) - (b.pid ?? 0));

/** Worker -> the shards whose polls it reads. */
function homesOf(queues) {
  const homes = new Map();
  for (const row of queues) {
    if (row.queue !== "polling" || row.home === null || row.shard === null) continue;
    homes.set(row.home, [...(homes.get(row.home) ?? []), row]);
  }
  return homes;
}

const workerRow = () => (worker) => {
  const node = h("tr", {});
  const [fill, state, chips] = [cells(node, NAMES), stateOf(worker.state), h("span", { class: "chips" })];
  const name = h("span", {}, h("strong", {}, String(worker.pid ?? "–")), " ", h("span", { class: "muted" }, worker.pool ?? "", h("span", { class: "wide-inline" }, worker.host ? ` · ${worker.host}` : "")));
  const update = (now) => {
    state.set(now.state, now.state === "silent" ? `silent ${span(now.seen_s)}` : now.state);
    fill([name, state.node, count(now.in_flight), rate(now.rate_per_s), short(now.done), size(now.rss_bytes),
      [seconds(now.loop_lag_s), now.loop_lag_s > LAG_S ? "alarm" : ""], span(now.uptime_s), chips]);
  };
  const homes = (rows) => keep(chips, rows, (row) => row.shard, shardChip);
  return { node, update, homes };
};

function shardChip(row) {
  const node = h("span", { class: "chip" }, String(row.shard).padStart(2, "0"));
  const update = (now) => {
    setAttribute(node, "title", `shard ${now.shard}: ${short(now.waiting)} waiting, ${short(now.in_flight)} in flight`);
    setAttribute(node, "data-busy", now.in_flight + now.waiting > 0 ? "true" : null);
  };
  return { node, update };
}

function queuesCard() {
  const { node: grid, body } = table("Queues by shard", [["Class"], ["Shard"], ["waiting", "number"], ["in flight", "number wide"], ["oldest", "number"],
    ["delayed", "number wide"], ["claimed", "number wide"], ["dead", "number wide"], ["done/s", "number wide"], ["Home", "wide"]]);
  const nothing = empty("No queue holds anything.");
  const node = card("Queues that hold something, by shard", {}, grid, nothing);
  const update = ({ queues }) => {
    const busy = queues.filter((row) => [row.waiting, row.in_flight, row.delayed, row.dead, row.rate_per_s].some((value) => value === null || value > 0));
    setShown(grid, busy.length);
    setShown(nothing, !busy.length);
    keep(body, busy, (row) => `${row.queue}/${row.shard}`, queueRow);
  };
  return { node, update };
}

function queueRow() {
  const node = h("tr", {});
  const fill = cells(node, ["", "number-left", "number", "number wide", "number", "number wide", "number wide", "number wide", "number wide", "wide muted clip-cell"]);
  const update = (row) =>
    fill([row.queue, row.shard === null ? "all" : String(row.shard).padStart(2, "0"), short(row.waiting), short(row.in_flight), seconds(row.oldest_s),
      count(row.delayed), count(row.claimed), [count(row.dead), row.dead > 0 ? "alarm bad" : ""], rate(row.rate_per_s), row.home ?? "–"]);
  return { node, update };
}
