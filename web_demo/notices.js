// @ts-check
/**
 * What happens to the person's things, told as it happens: `/v1/me/events`, read with their token, which an EventSource
 * could not send. A connection that is lost is sought again, from the last notice that came.
 */

import { Refused, door } from "./login.js";
import { Backoff } from "./resume.js";

/** Of a connection on which nothing came for so long, not even a comment, nothing more will come. */
const SILENCE_MS = 45_000;

/** @typedef {Record<string, any>} Data */

export class Notices {
  #last = "";
  #again = false;
  #stopped = new AbortController();
  #backoff = new Backoff();
  #take;
  #resync;

  /**
   * @param {(kind: string, data: Data) => void} take
   * @param {() => void} resync something was missed: ask for everything anew
   */
  constructor(take, resync) {
    this.#take = take;
    this.#resync = resync;
  }

  /** Listen until `stop`; whoever is refused for good is told nothing more. */
  async listen() {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await this.#read(signal);
      } catch (error) {
        if (error instanceof Refused && !error.retryable) return;
      }
      this.#again = true;
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, this.#backoff.next()));
    }
  }

  stop() {
    this.#stopped.abort();
  }

  /** One connection, to its end. @param {AbortSignal} signal */
  async #read(signal) {
    const silent = new AbortController();
    let watch = setTimeout(() => silent.abort(), SILENCE_MS);
    const query = this.#last === "" ? "" : `?last_event_id=${this.#last}`;
    try {
      const answer = await fetch(`/v1/me/events${query}`, {
        headers: { Authorization: `Bearer ${await door.token()}` },
        cache: "no-store",
        signal: AbortSignal.any([signal, silent.signal]),
      });
      if (answer.status === 401) door.forgetToken();
      if (!answer.ok || answer.body === null) return;
      if (this.#again && this.#last === "") this.#resync(); // after no notice yet nobody knows what was missed
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let unread = "";
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(watch);
        watch = setTimeout(() => silent.abort(), SILENCE_MS);
        this.#backoff.reset();
        const blocks = (unread + piece.value).split("\n\n");
        unread = blocks.pop() ?? "";
        blocks.forEach((block) => this.#tell(block));
      }
    } finally {
      clearTimeout(watch);
    }
  }

  /** @param {string} block */
  #tell(block) {
    /** @type {Record<string, string>} */
    const fields = {};
    for (const line of block.split("\n")) {
      const [name, value] = [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trimStart()];
      if (name !== "") fields[name] = value;
    }
    if (fields.id !== undefined) this.#last = fields.id;
    if (fields.event === "resync") this.#resync();
    else if (fields.event !== undefined && fields.data !== undefined) this.#take(fields.event, JSON.parse(fields.data));
  }
}
