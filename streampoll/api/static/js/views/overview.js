/** The first page: is everything polled, and if not, where it is stuck. */

import { h } from "../dom.js";
import { listen } from "../store.js";
import { eventsCard } from "./events.js";
import { flow } from "./flow.js";
import { fleet } from "./sites.js";
import { tiles } from "./tiles.js";
import { timeCharts } from "./charts.js";
import { topDevices } from "./top.js";
import { verdict } from "./verdict.js";
import { workersCard } from "./workers.js";

export function overview() {
  const parts = [verdict(), tiles(), flow(), ...timeCharts(), fleet(), eventsCard(),
    topDevices("slow"), topDevices("failing"), workersCard()];
  const node = h("div", { class: "grid" }, parts.map((part) => part.node));
  const deaf = listen((stats) => {
    for (const part of parts) part.update?.(stats);
  });
  return {
    node,
    title: "Overview",
    end: () => {
      deaf();
      for (const part of parts) part.end?.();
    },
  };
}
