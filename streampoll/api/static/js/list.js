/**
 * A list of any length, of which only the rows in sight exist. Rows are of one height; arrow keys, Page Up and Down,
 * Home and End move the selected row, Enter opens it.
 */

import { h, keep, setAttribute } from "./dom.js";

const SPARE_ROWS = 6; // above and below, so that scrolling shows no holes

let lists = 0;

/**
 * Make a list: `head` are its headings, `make(item)` returns {node, update(item)}, `open(item)` is Enter or a click,
 * `rowHeight` is a CSS variable's name.
 */
export function virtualList(label, { head, make, open, rowHeight = "--row" }) {
  const id = `list-${(lists += 1)}`;
  const body = h("div", { class: "list-body" });
  const grid = h("div", { class: "list", role: "grid", tabindex: "0", "aria-label": label },
    h("div", { class: "list-head", role: "row" }, head.map((title) => h("span", { role: "columnheader" }, title))), body);
  const list = { grid, body, items: [], selected: 0, height: 36, view: 0, id };

  const row = (item) => {
    const made = make(item);
    made.node.classList.add("list-row");
    made.node.setAttribute("role", "row");
    made.node.addEventListener("click", (event) => event.target.closest("button, a") || open(made.item));
    return { node: made.node, update: ({ item: now }) => ((made.item = now), made.update(now)) };
  };
  const draw = () => drawn(list, row);
  grid.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  grid.addEventListener("keydown", (event) => pressed(list, event, draw, open));
  grid.addEventListener("focus", draw);
  grid.addEventListener("blur", draw);
  const resized = new ResizeObserver(() => {
    list.height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue(rowHeight)) || list.height;
    list.view = grid.clientHeight; // asked here, since to ask while drawing has the page laid out twice
    draw();
  });
  resized.observe(grid);
  return {
    node: grid,
    show: (items) => ((list.items = items), draw()),
    current: () => list.items[list.selected],
    end: () => resized.disconnect(),
  };
}

function drawn(list, row) {
  const { grid, body, items, height } = list;
  list.selected = Math.max(0, Math.min(list.selected, items.length - 1));
  const count = Math.ceil(list.view / height) + 2 * SPARE_ROWS;
  const first = Math.max(0, Math.min(Math.floor(grid.scrollTop / height) - SPARE_ROWS, items.length - count));
  const shown = items.slice(first, first + count).map((item, number) => ({ item, place: first + number }));
  if (list.drawn !== items.length * height) body.style.height = `${(list.drawn = items.length * height)}px`;
  setAttribute(grid, "aria-rowcount", items.length + 1);
  // a row that goes out of sight above is the next one below: rows are made once, and only change what they say
  keep(body, shown.sort((a, b) => (a.place % count) - (b.place % count)), ({ place }) => place % count, ({ item }) => row(item));
  for (const { place } of shown) placed(body.kept.get(place % count).node, place, list);
  setAttribute(grid, "aria-activedescendant", body.querySelector(".selected")?.id);
}

function placed(node, place, list) {
  const chosen = place === list.selected && document.activeElement === list.grid;
  node.style.transform = `translateY(${place * list.height}px)`;
  node.id = `${list.id}-${place}`;
  setAttribute(node, "aria-rowindex", place + 2);
  setAttribute(node, "aria-selected", chosen ? "true" : null);
  node.classList.toggle("selected", chosen);
}

function pressed(list, event, draw, open) {
  if (event.target !== list.grid || event.ctrlKey || event.metaKey || event.altKey) return;
  const page = Math.max(1, Math.floor(list.grid.clientHeight / list.height) - 2);
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 };
  if (event.key === "Enter" && list.items.length) open(list.items[list.selected]);
  else if (event.key in moves) move(list, moves[event.key], draw);
  else return;
  event.preventDefault();
}

function move(list, by, draw) {
  list.selected = Math.max(0, Math.min(list.items.length - 1, list.selected + by));
  const { grid, height, selected } = list;
  const headHeight = grid.firstChild.offsetHeight;
  const top = selected * height;
  if (top < grid.scrollTop) grid.scrollTop = top;
  if (top + height + headHeight > grid.scrollTop + grid.clientHeight)
    grid.scrollTop = top + height + headHeight - grid.clientHeight;
  draw();
}
