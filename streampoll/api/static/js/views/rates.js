/** A device's rates over time, one row of a table at a time. */

import { chart } from "../chart.js";
import { empty, h, keep, setShown, setText } from "../dom.js";
import { scaled } from "../format.js";
import { trouble } from "../refresh.js";

const SOURCES = {
  rates: "As analysis stored them.",
  polls: "Worked out of polls: analysis stored none.",
  both: "As analysis stored them, and of polls where it did not.",
};
const COLORS = ["--chart-1", "--chart-2", "--chart-3"];

/** "in" or "out" of a series of octets; null for others. */
export function directionOf(series) {
  const found = /^(?:if)?(?:hc)?(in|out)_?(?:octets|bytes|bits)/i.exec(series.column);
  return found ? found[1].toLowerCase() : null;
}

/** A value of a series in bits where it is of octets. */
export const bitsOf = (series, value) => (series.bits && value !== null ? value * 8 : value);

export function rateChart() {
  const box = h("div", {});
  const select = h("select", { class: "select end", "aria-label": "Which rates", hidden: true, onchange: () => draw() });
  const [nothing, wrong] = [empty("No rates are stored of the last hours: they come with the second poll of a counter."), trouble()];
  const source = h("p", { class: "muted small" });
  const node = h("section", { class: "card", id: "rates", "aria-label": "Rates" },
    h("div", { class: "card-head" }, h("h2", {}, "Rates over time"), select), wrong.node, box, source, nothing);
  const view = { groups: new Map(), chart: null, shown: "", first: "" };
  const draw = () => {
    if (view.first) [select.value, view.first] = [view.first, ""];
    const group = view.groups.get(select.value) ?? [...view.groups.values()][0];
    setShown(nothing, !group);
    setShown(select, group);
    setShown(box, group);
    setText(source, group ? SOURCES[group[0].source] ?? "" : "");
    if (group) drawGroup(view, box, group);
  };
  const update = (data) => {
    wrong.say(null);
    view.groups = grouped(data.series ?? []);
    if (!select.value) view.first = busiest(view.groups);
    keep(select, [...view.groups.keys()], (key) => key, (key) => ({ node: h("option", { value: key }, key), update() {} }));
    draw();
  };
  const choose = (row) => {
    const key = [...view.groups].find(([, group]) => group[0].row === row && directionOf(group[0]))?.[0];
    if (!key) return;
    select.value = key;
    draw();
    node.scrollIntoView({ block: "center", behavior: "smooth" });
  };
  return { node, update, choose, failed: wrong.say, end: () => view.chart?.end() };
}

/** Series that belong into one picture: the octets of a row in and out; any other by itself. */
function grouped(series) {
  const groups = new Map();
  for (const each of series) {
    const of = each.row ? `${each.row}, ` : "";
    const key = `${of}${directionOf(each) ? "traffic" : each.column}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return new Map([...groups].sort(([, [a]], [, [b]]) => Boolean(directionOf(b)) - Boolean(directionOf(a))));
}

/** The group with the highest newest value: what is looked at first; a loopback is of little interest. */
function busiest(groups) {
  const newest = ([key, group]) => (/^lo/i.test(key) ? -1 : Math.max(...group.map((each) => each.points.at(-1)?.[1] ?? 0)));
  const [best] = [...groups].sort((a, b) => newest(b) - newest(a));
  return best?.[0] ?? "";
}

function drawGroup(view, box, group) {
  const name = group.map((each) => `${each.row}.${each.column}`).join();
  const unit = group[0].bits ? "bit/s" : "/s";
  if (view.shown !== name) {
    view.chart?.end();
    const lines = group.map((each, number) => ({ label: directionOf(each) ?? each.column, color: COLORS[number % COLORS.length], fill: number === 0 }));
    view.chart = chart(`Rates: ${name}`, lines, (value) => scaled(value, unit));
    view.shown = name;
    box.replaceChildren(view.chart.node);
  }
  const times = [...new Set(group.flatMap((each) => each.points.map(([at]) => at)))].sort((a, b) => a - b);
  const columns = group.map((each) => {
    const byTime = new Map(each.points);
    return times.map((at) => bitsOf(each, byTime.get(at) ?? null));
  });
  view.chart.draw([times, ...columns]);
}

