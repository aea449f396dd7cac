/** What a device said last: scalars by name, then each table. */

import { card, empty, h, keep, setShown, setText } from "../dom.js";
import { clock } from "../format.js";

const FIRST_ROWS = 50;

export function valueCards() {
  const list = h("dl", { class: "values" });
  const tables = h("div", { class: "tables" });
  const nothing = empty("No values of it are stored.");
  const node = card("Last values", {}, list, tables, nothing);
  nothing.hidden = true;
  const update = ({ polls }) => {
    const scalars = polls.flatMap((poll) => poll.values.map((value) => ({ ...value, job: poll.job, slot: poll.slot })));
    const grids = polls.flatMap((poll) => poll.tables.map((table) => ({ ...table, job: poll.job, slot: poll.slot })));
    setShown(nothing, !scalars.length && !grids.length);
    keep(list, scalars, (value) => `${value.job}/${value.name}`, valueLine);
    keep(tables, grids, (table) => `${table.job}/${table.name}`, tableFold);
  };
  return { node, update };
}

function valueLine() {
  const [name, text] = [h("dt", {}), h("dd", {})];
  const node = h("div", {}, name, text);
  const update = (value) => {
    setText(name, value.name);
    setText(text, value.shown ?? `– (${value.missing ?? "missing"})`);
    node.title = `${value.job}, ${clock(value.slot)}`;
    node.classList.toggle("missing", value.shown === null || value.shown === undefined);
  };
  return { node, update };
}

function tableFold({ name }) {
  const [title, body, head] = [h("summary", {}), h("tbody", {}), h("tr", {})];
  const node = h("details", {}, title, h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": name },
    h("table", { class: "narrow" }, h("thead", {}, head), body)));
  let shown = null;
  const draw = () => node.open && shown && drawTable(shown, head, body);
  node.addEventListener("toggle", draw);
  const update = (table) => {
    shown = table;
    const cut = table.complete === false ? ", incomplete" : "";
    setText(title, `${table.name}  (${table.rows.length} ${table.rows.length === 1 ? "row" : "rows"}${cut}, ${table.job})`);
    draw();
  };
  return { node, update };
}

function drawTable(table, head, body) {
  keep(head, table.columns, (column) => column, (column) => ({ node: h("th", { scope: "col" }, column), update() {} }));
  const rows = table.rows.slice(0, FIRST_ROWS).map((cells, number) => ({ cells, number }));
  keep(body, rows, ({ number }) => number, tableRow);
}

function tableRow({ cells }) {
  const made = cells.map(() => h("td", {}));
  const update = (row) => made.forEach((cell, place) => setText(cell, row.cells[place] ?? "–"));
  return { node: h("tr", {}, made), update };
}
