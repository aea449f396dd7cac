/** The figures that are looked at first, each with its last minutes. */

import { h, setAttribute, setText } from "../dom.js";
import { count, most, rate, seconds, short, total } from "../format.js";
import { spark } from "../spark.js";
import { history, oldest, summed } from "../store.js";

const SHOWN_S = 300;

const TILES = [
  ["Polls a second", (stats) => summed(stats, "polling", "rate_per_s"), rate, (each) => each.polls],
  ["Late, p99", (stats) => most(stats.jobs.map((job) => job.lateness_p99_s)), seconds, (each) => each.lateP99],
  ["Polls waiting", (stats) => summed(stats, "polling", "waiting"), short, (each) => each.depth],
  ["Oldest poll", (stats) => oldest(stats, "polling"), seconds],
  ["Results waiting", (stats) => summed(stats, "results", "waiting"), short, (each) => each.results],
  ["Workers", (stats) => (stats.troubles.length ? null : stats.workers.length), count],
  ["Skipped", (stats) => total(stats.jobs.map((job) => job.skipped)), short],
  ["Dead letters", (stats) => total(stats.queues.map((row) => row.dead)), short],
];
const ALARMING = new Set(["Skipped", "Dead letters"]);
const NONE_IS_FINE = new Set(["Oldest poll"]);

export function tiles() {
  const made = TILES.map(([label, read, write, past]) => tile(label, read, write, past));
  return {
    node: h("section", { class: "tiles", "aria-label": "Figures" }, made.map((each) => each.node)),
    update: (stats) => made.forEach((each) => each.update(stats)),
  };
}

function tile(label, read, write, past) {
  const figure = h("p", { class: "figure" }, "–");
  const line = past ? spark(`${label} over the last minutes`, 120, 24) : null;
  const node = h("div", { class: "tile", "data-tile": label }, h("p", { class: "tile-label" }, label), figure, line?.node);
  const update = (stats) => {
    const value = read(stats);
    const none = value === null && NONE_IS_FINE.has(label) && summed(stats, "polling", "waiting") === 0;
    setText(figure, none ? "none" : write(value));
    setAttribute(figure, "class", ALARMING.has(label) && value > 0 ? "figure alarm" : "figure");
    const from = stats.at - SHOWN_S;
    line?.draw(history().filter((each) => each.at >= from).map(past));
  };
  return { node, update };
}
