/** The few pictograms: lines on a square of 24. */

import { s } from "./dom.js";

const PATHS = {
  overview: "M4 13h6V4H4zM14 9h6V4h-6zM14 20h6v-7h-6zM4 20h6v-3H4z",
  devices: "M4 5h16v6H4zM4 13h16v6H4zM8 8h.01M8 16h.01",
  workers: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  events: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
  jobs: "M12 8v4l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18",
  dead: "M4 7h16v13H4zM4 7l3-4h10l3 4M9 12h6",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 18h.01",
  theme: "M20 14A8 8 0 1 1 10 4a7 7 0 0 0 10 10",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M20 20l-4-4",
};

/** Make a pictogram; it says nothing to screen readers, so what it is in must. */
export const icon = (name) =>
  s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", fill: "none", stroke: "currentColor", "stroke-width": "1.8",
    "stroke-linecap": "round", "stroke-linejoin": "round" }, s("path", { d: PATHS[name] }));
