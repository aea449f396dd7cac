/** Polls a second, lateness and cycle time over the last hour: what the server remembers, then what was seen here. */

import { chart } from "../chart.js";
import { card, h } from "../dom.js";
import { rate, seconds } from "../format.js";
import { refreshed } from "../refresh.js";
import { pastFigures } from "../source.js";
import { history } from "../store.js";

const CHARTS = [
  ["Polls a second", "Entries of the class polling done a second, all workers.", rate,
    [{ label: "polls/s", color: "--chart-3", read: (each) => each.polls, fill: true }]],
  ["Lateness", "Stored minus due, the worst job of the last minute.", seconds,
    [{ label: "p50", color: "--chart-1", read: (each) => each.lateP50 }, { label: "p99", color: "--chart-2", read: (each) => each.lateP99 }]],
  ["Cycle time", "From a slot to the last row of it, the worst job.", seconds,
    [{ label: "p50", color: "--chart-1", read: (each) => each.cycleP50 }, { label: "p99", color: "--chart-2", read: (each) => each.cycleP99 }]],
];
const PAST_MS = 60000;

export function timeCharts() {
  const past = { moments: [] };
  const asked = refreshed((signal) => pastFigures(1, signal), (moments) => (past.moments = moments), PAST_MS);
  const made = CHARTS.map((each) => timeChart(past, ...each));
  made[0].end = after(made[0].end, asked.end);
  return made;
}

const after = (first, second) => () => (first(), second());

function timeChart(past, title, words, write, series) {
  const drawn = chart(`${title} over the last hour`, series, write);
  const node = card(title, { class: "third" }, drawn.node, h("p", { class: "muted small" }, words));
  const update = () => {
    const seen = history();
    const from = seen[0]?.at ?? Infinity;
    const all = [...past.moments.filter((each) => each.at < from), ...seen];
    drawn.draw([all.map((each) => each.at), ...series.map(({ read }) => all.map((each) => read(each) ?? null))]);
  };
  return { node, update, end: drawn.end };
}
