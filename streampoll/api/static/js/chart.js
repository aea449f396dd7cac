/** Lines over time, drawn by uPlot in the colours of the theme. */

import uPlot from "../vendor/uPlot.esm.js";
import { h } from "./dom.js";

const HEIGHT = 190;
const charts = new Set();

/** Make a chart: series [{label, color (a CSS variable)}], `write` writes a value; draw([times, …values]) draws. */
export function chart(label, series, write) {
  const node = h("div", { class: "chart", role: "img", "aria-label": label });
  const made = { node, plot: null, data: null };
  made.draw = (data) => {
    made.data = data;
    if (made.plot) made.plot.setData(data);
    else if (node.clientWidth) made.plot = plotted(node, series, write, data);
    if (made.plot && made.plot.cursor.idx == null) made.plot.setLegend({ idx: data[0].length - 1 });
  };
  made.redraw = () => {
    made.plot?.destroy();
    made.plot = null;
    if (made.data) made.draw(made.data);
  };
  const resized = new ResizeObserver(() => {
    if (!node.clientWidth) return;
    if (made.plot) made.plot.setSize({ width: node.clientWidth, height: HEIGHT });
    else if (made.data) made.draw(made.data);
  });
  resized.observe(node);
  made.end = () => {
    resized.disconnect();
    made.plot?.destroy();
    charts.delete(made);
  };
  charts.add(made);
  return made;
}

/** Draw every chart anew: the theme has changed. */
export const redrawAll = () => charts.forEach((each) => each.redraw());

function plotted(node, series, write, data) {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: of("--muted"), grid: { stroke: of("--line"), width: 1 }, ticks: { show: false },
    font: "12px system-ui, sans-serif" };
  return new uPlot({
    width: node.clientWidth,
    height: HEIGHT,
    padding: [10, 20, 0, 0],
    cursor: { points: { size: 7 }, drag: { x: false, y: false } },
    hooks: { setCursor: [newestUnlessPointed] },
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.1] } },
    axes: [
      { ...axis, size: 32, space: 70, values: (_, splits) => splits.map((at) => hoursAndMinutes(at)) },
      { ...axis, size: 80, values: (_, splits) => splits.map((value) => write(value)) },
    ],
    series: [
      { label: "at", value: (_, at) => (at ? hoursAndMinutes(at, true) : "–") },
      ...series.map(({ label, color, fill }) => ({
        label, stroke: of(color), width: 2, points: { show: false }, spanGaps: false,
        fill: fill ? `${of(color)}22` : undefined, value: (_, value) => write(value),
      })),
    ],
  }, data, node);
}

/** Have the legend show the newest values while nobody points at others. */
function newestUnlessPointed(plot) {
  if (plot.cursor.idx === null) plot.setLegend({ idx: plot.data[0].length - 1 }, false);
}

function hoursAndMinutes(at, withSeconds = false) {
  const date = new Date(at * 1000);
  const parts = [date.getHours(), date.getMinutes(), ...(withSeconds || date.getSeconds() ? [date.getSeconds()] : [])];
  return parts.map((number) => String(number).padStart(2, "0")).join(":");
}
