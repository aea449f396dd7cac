/** A device's interfaces: state, speed, and what goes through them, with a line for each direction. */

import { card, empty, h, keep, setShown } from "../dom.js";
import { scaled } from "../format.js";
import { cells, stateOf, table } from "../parts.js";
import { spark } from "../spark.js";
import { bitsOf, directionOf } from "./rates.js";

const HEADS = [["Interface"], ["State"], ["Alias", "wide"], ["speed", "number wide"], ["in", "number"], ["", "wide", "in, over time"], ["out", "number"], ["", "wide", "out, over time"]];
const NAMES = ["nowrap", "", "wide muted clip-cell", "number wide", "number", "wide", "number", "wide"];
const COLUMNS = { state: /^(if)?oper(_?status)?$/i, alias: /^(if)?alias$/i, words: /^(if)?desc(r|ription)?$/i,
  megabits: /^(if)?high_?speed$/i, bits: /^(if)?speed(_?bps)?$/i };

export function interfaces(choose) {
  const { node: grid, body } = table("Interfaces", HEADS);
  const nothing = empty("No table of interfaces is collected from it.");
  const node = card("Interfaces", {}, grid, nothing);
  grid.hidden = true;
  const update = (last, rates) => {
    const rows = rowsOf(last, rates);
    setShown(grid, rows.length);
    setShown(nothing, !rows.length);
    keep(body, rows, (row) => row.key, (row) => interfaceRow(row, choose));
  };
  return { node, update };
}

/** The interfaces of the last poll, with their series; of rates alone where no table names them. */
function rowsOf(last, rates) {
  const series = (rates?.series ?? []).filter(directionOf);
  const found = (last?.polls ?? []).flatMap((poll) => poll.tables).find(isOfInterfaces);
  const keys = found ? found.rows.map((row) => row[0]) : [...new Set(series.map((each) => each.row))];
  return keys.map((key, number) => ({
    key: key ?? `#${number}`,
    in: series.find((each) => each.row === key && directionOf(each) === "in"),
    out: series.find((each) => each.row === key && directionOf(each) === "out"),
    said: found ? said(found, found.rows[number]) : {},
  }));
}

const isOfInterfaces = (given) => /^(if|interface)/i.test(given.name) || given.columns.some((column) => /^if(Name|Descr)$/i.test(column));
const said = (given, row) =>
  Object.fromEntries(Object.entries(COLUMNS).map(([name, pattern]) => [name, row[given.columns.findIndex((column) => pattern.test(column))] ?? null]));

function interfaceRow(row, choose) {
  const node = h("tr", {});
  const [fill, state] = [cells(node, NAMES), stateOf("")];
  const name = h("button", { type: "button", class: "link", title: "Show its rates", onclick: () => choose(row.key) }, row.key);
  const lines = { in: spark(`${row.key} in`), out: spark(`${row.key} out`) };
  const update = (now) => {
    const up = String(now.said.state ?? "").replace(/\(\d+\)$/, "");
    state.set(up === "up" || up === "1" ? "up" : up === "down" || up === "2" ? "down" : "", up || "–");
    for (const way of ["in", "out"]) lines[way].draw((now[way]?.points ?? []).map(([, value]) => value));
    fill([name, state.node, now.said.alias || now.said.words || "–", speedOf(now.said), latest(now.in), lines.in.node, latest(now.out), lines.out.node]);
  };
  return { node, update };
}

/** The speed as a text; 32 bits hold no more than 4.3 Gbit/s, so the one in Mbit/s goes first. */
function speedOf({ megabits, bits }) {
  const number = (text) => (/^\d+( M?bit\/s)?$/.test(text ?? "") ? parseInt(text, 10) : null);
  if (number(megabits)) return scaled(number(megabits) * 1e6, "bit/s");
  if (number(bits)) return scaled(number(bits), "bit/s");
  return megabits ?? bits ?? "–";
}

function latest(series) {
  const value = series?.points.at(-1)?.[1] ?? null;
  return value === null ? "–" : scaled(bitsOf(series, value), series.bits ? "bit/s" : "/s");
}
