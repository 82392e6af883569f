// @ts-check
/**
 * What coming back after a lost connection takes, as arithmetic: the last ten seconds of the microphone, the position
 * among the server's events, and how long to wait before the next try. No socket, no clock.
 */

export const MICROPHONE_RATE = 16_000;
/** What a client keeps, as the wire protocol has it. */
export const KEPT_SECONDS = 10;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

/**
 * The microphone's last ten seconds, and how much of it the server was sent.
 *
 * A sample's number is how many samples the server received before it. Inside, samples are counted from the first ever
 * captured; `#base` lies between the two, and moves where audio is lost or a new session counts from 0.
 */
export class MicrophoneMemory {
  #ring;
  /** One past the newest sample, and the oldest that is kept. */
  #end = 0;
  #oldest = 0;
  #sent = 0;
  #base = 0;

  /** @param {number} [capacity] samples kept */
  constructor(capacity = KEPT_SECONDS * MICROPHONE_RATE) {
    this.#ring = new Int16Array(capacity);
  }

  /** Number of the next sample to be captured. */
  get captured() {
    return this.#end - this.#base;
  }

  /** Number of the next sample to be sent. */
  get sent() {
    return this.#sent - this.#base;
  }

  /** @param {Int16Array} frame */
  append(frame) {
    const size = this.#ring.length;
    const place = this.#end % size;
    const head = Math.min(frame.length, size - place);
    this.#ring.set(frame.subarray(0, head), place);
    this.#ring.set(frame.subarray(head), 0);
    this.#end += frame.length;
    this.#oldest = Math.max(this.#oldest, this.#end - size);
    if (this.#sent < this.#oldest) {
      // Never sent, and now too old: the next sample sent takes the number that the oldest lost one would have had.
      this.#base += this.#oldest - this.#sent;
      this.#sent = this.#oldest;
    }
  }

  /**
   * The next samples to send, `most` of them at most; none when all was sent.
   * @param {number} most
   */
  take(most) {
    const piece = new Int16Array(Math.min(most, this.#end - this.#sent));
    for (let i = 0; i < piece.length; i += 1) piece[i] = this.#ring[(this.#sent + i) % this.#ring.length];
    this.#sent += piece.length;
    return piece;
  }

  /**
   * The server has received everything before this number: it need not be kept.
   * @param {number} number
   */
  acknowledge(number) {
    this.#oldest = Math.min(this.#sent, Math.max(this.#oldest, number + this.#base));
  }

  /**
   * The session goes on: the next sample sent is `number`, or the oldest there is, which then has that number.
   * @param {number} number
   */
  resumeFrom(number) {
    this.#sent = Math.min(this.#end, Math.max(this.#oldest, number + this.#base));
    this.#base = this.#sent - number;
  }

  /** A new session, counted from 0, hears again what the old one never acknowledged. */
  startAnew() {
    this.#sent = this.#oldest;
    this.#base = this.#sent;
  }

  /** Forget everything: a new conversation. */
  clear() {
    this.#oldest = this.#end;
    this.startAnew();
  }
}

/** How far the server was heard: events are numbered within an epoch, and epochs only grow. */
export class Position {
  epoch = 0;
  event = 0;

  /**
   * Whether this event is news; if so it is the new position.
   * @param {{epoch: number, event: number}} told
   */
  advance({ epoch, event }) {
    if (epoch < this.epoch || (epoch === this.epoch && event <= this.event)) return false;
    this.epoch = epoch;
    this.event = event;
    return true;
  }

  /** @param {{epoch: number, event: number}} told */
  set({ epoch, event }) {
    this.epoch = epoch;
    this.event = event;
  }
}

/** Waits that double, each a random part of the whole, so that many phones do not come back in the same instant. */
export class Backoff {
  #limit = FIRST_WAIT_MS;
  #random;

  /** @param {() => number} [random] 0 to 1 */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** Milliseconds to wait before the next try. */
  next() {
    const wait = this.#limit * (0.5 + 0.5 * this.#random());
    this.#limit = Math.min(LONGEST_WAIT_MS, this.#limit * 2);
    return wait;
  }

  reset() {
    this.#limit = FIRST_WAIT_MS;
  }
}

/**
 * What the end of a connection asks for.
 *
 * "now": another gateway is there already. "later": after a pause. "new_token": the ticket or its token is worth
 * nothing any more. "never": whoever came back by itself would be sent away again.
 * @param {number} code the close code
 * @returns {"now" | "later" | "new_token" | "never"}
 */
export function afterClose(code) {
  if (code === 1012) return "now";
  if (code === 4401) return "new_token";
  if (code === 1000 || (code >= 4400 && code < 4500 && code !== 4408 && code !== 4429)) return "never";
  return "later";
}
