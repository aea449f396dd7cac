/**
 * Elements out of values. Whatever a device says of itself is put in as text: there is no way to markup here, and no
 * other module makes elements.
 */

const SVG = "http://www.w3.org/2000/svg";

/** Make an HTML element: h("a", {class: "name", href: "#/", onclick: f}, "text", child). */
export const h = (name, attributes, ...children) =>
  filled(document.createElement(name), attributes, children);

/** Make an SVG element. */
export const s = (name, attributes, ...children) =>
  filled(document.createElementNS(SVG, name), attributes, children);

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else setAttribute(element, name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Set an attribute, or take it away with null or false; does nothing where nothing changes. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Set an element's text; does nothing where it says so already. */
export function setText(element, value) {
  const text = String(value);
  if (element.textContent !== text) element.textContent = text;
}

/** Show or hide an element. */
export function setShown(element, shown) {
  if (element.hidden === Boolean(shown)) element.hidden = !shown;
}

/**
 * Make a parent's children those of `items`, in their order, keeping the nodes of those that stay.
 * `make(item)` returns {node, update(item)}.
 */
export function keep(parent, items, keyOf, make) {
  const before = parent.kept ?? new Map();
  const after = new Map();
  let place = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    const kept = before.get(key) ?? make(item);
    kept.update(item);
    after.set(key, kept);
    if (kept.node === place) place = place.nextSibling;
    else parent.insertBefore(kept.node, place);
  }
  for (const [key, { node }] of before) if (!after.has(key)) node.remove();
  parent.kept = after;
}

/** Make a section with a heading; the rest is its body. */
export const card = (title, attributes, ...body) =>
  h("section", { ...attributes, class: `card ${attributes?.class ?? ""}`.trim(), "aria-label": title },
    h("h2", {}, title), ...body);

/** Say that there is nothing, or nothing known, and why. */
export const empty = (...words) => h("p", { class: "empty" }, ...words);
