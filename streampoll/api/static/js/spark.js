/** A line without axes, as SVG: gaps stay gaps. */

import { s, setAttribute } from "./dom.js";

/** Make a sparkline; draw(values) draws it anew, null being unknown. */
export function spark(label, width = 96, height = 22) {
  const line = s("path", { class: "spark-line" });
  const area = s("path", { class: "spark-area" });
  const node = s("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img",
    "aria-label": label }, area, line);
  const draw = (values) => {
    const known = values.filter((value) => value !== null && value !== undefined);
    const top = Math.max(...known, 0) || 1;
    const x = (place) => (values.length > 1 ? (place / (values.length - 1)) * width : width);
    const y = (value) => height - 1.5 - (value / top) * (height - 4);
    const runs = runsOf(values);
    setAttribute(line, "d", runs.map((run) => path(run, x, y)).join(""));
    setAttribute(area, "d", runs.map((run) => `${path(run, x, y)}V${height}H${x(run[0][0]).toFixed(1)}Z`).join(""));
  };
  return { node, draw };
}

function runsOf(values) {
  const runs = [[]];
  values.forEach((value, place) => {
    if (value === null || value === undefined) runs.push([]);
    else runs.at(-1).push([place, value]);
  });
  return runs.filter((run) => run.length);
}

const path = (run, x, y) =>
  run.map(([place, value], number) => `${number ? "L" : "M"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`).join("");
