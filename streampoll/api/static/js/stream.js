/**
 * The server-sent events of /api/v1/stream, read with fetch: EventSource can send no token but in the URL, where it
 * would be logged. Connects again with growing waits; who listens always knows whether it is connected.
 */

import { headers } from "./api.js";

const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 15000;
const SILENCE_MS = 12000; // longer without a byte than the server's own keep-alive: the connection is gone

/** Read events for ever: onEvent(name, data), onState("connected" | "connecting" | "refused"). */
export class Stream {
  constructor(url, onEvent, onState) {
    Object.assign(this, { url, onEvent, onState, wait: FIRST_WAIT_MS, abort: null, timer: 0 });
  }

  /** Connect now, whatever was before. */
  start() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = new AbortController();
    this.run(this.abort);
  }

  /** Let the connection go, for good. */
  stop() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
  }

  async run(abort) {
    this.onState("connecting");
    try {
      const accept = headers({ Accept: "text/event-stream" });
      const response = await fetch(this.url, { headers: accept, signal: abort.signal, cache: "no-store" });
      if (response.status === 401) {
        document.dispatchEvent(new CustomEvent("unauthorized"));
        return this.onState("refused");
      }
      if (!response.ok) throw new Error(`status ${response.status}`);
      await this.read(response.body.getReader(), abort);
    } catch {
      // whatever it was: the wait below, then again
    }
    if (abort === this.abort) this.again(abort);
  }

  async read(reader, abort) {
    const decoder = new TextDecoder();
    const parser = new Parser(this.onEvent);
    let watchdog = 0;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => reader.cancel().catch(() => {}), SILENCE_MS);
    };
    try {
      for (alive(); ; alive()) {
        const { done, value } = await reader.read();
        if (done || abort.signal.aborted) return;
        this.wait = FIRST_WAIT_MS;
        this.onState("connected");
        parser.feed(decoder.decode(value, { stream: true }));
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  again(abort) {
    if (abort.signal.aborted) return;
    this.onState("connecting");
    this.timer = setTimeout(() => this.start(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(MOST_WAIT_MS, this.wait * 2);
  }
}

/** Text of a stream into events, as the HTML standard has them; ids and retry times are of no use here. */
export class Parser {
  constructor(onEvent) {
    Object.assign(this, { onEvent, rest: "", name: "message", data: [] });
  }

  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    for (const line of lines) this.line(line);
  }

  line(line) {
    if (line === "") return this.end();
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "event") this.name = value;
    if (field === "data") this.data.push(value);
  }

  end() {
    if (this.data.length) this.onEvent(this.name, this.data.join("\n"));
    this.name = "message";
    this.data = [];
  }
}
