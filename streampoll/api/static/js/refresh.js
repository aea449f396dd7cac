/** What no stream brings: asked for again and again while the page is seen. */

import { h } from "./dom.js";
import { state } from "./store.js";

/**
 * Call `load(signal)` now and every so often, and `show(data)` with what it brings; `failed(error)` where it brings
 * nothing. Returns {now, end}.
 */
export function refreshed(load, show, everyMs, failed = () => {}) {
  let timer = 0;
  let abort = null;
  const again = () => (timer = setTimeout(() => (document.hidden || state.frozen ? again() : now()), everyMs));
  async function now() {
    clearTimeout(timer);
    abort?.abort();
    const own = (abort = new AbortController());
    try {
      const data = await load(own.signal);
      if (!own.signal.aborted) show(data);
    } catch (error) {
      if (!own.signal.aborted && error.name !== "AbortError") failed(error);
    }
    if (!own.signal.aborted) again();
  }
  now();
  return { now, end: () => (clearTimeout(timer), abort?.abort()) };
}

/** A line that says what could not be read; say(error) shows it, say(null) hides it. */
export function trouble() {
  const node = h("p", { class: "alarm small", role: "status", hidden: true });
  return {
    node,
    say(error) {
      node.hidden = !error;
      if (error) node.textContent = `Not read: ${error.message}.`;
    },
  };
}
