// @ts-check
/**
 * The loudspeaker: plays replies in their order, says how far it is, and stops at once when it is told to.
 */

/** The server wants the answer to `flush` within 300 ms; an audio thread that sleeps (a locked phone) gives none. */
const FLUSH_MS = 150;

/**
 * @typedef {object} Listener
 * @property {(turn: number, samples: number) => void} onPlayback about every 200 ms, and when it has run dry
 * @property {(turn: number, samples: number) => void} onFlushed
 * @property {(turn: number) => void} onStarted the first sample of a turn's reply sounds
 * @property {(level: number) => void} onLevel 0 to 1, while it plays
 * @property {(ducked: boolean) => void} onDucked whether it plays softly now
 */

export class Player {
  #node;
  #listener;
  /** @type {import("./protocol.js").Playhead | null} */
  #playhead = null;
  /** @type {Map<number, number>} turns whose `flushed` is outstanding, and the timers that answer for it */
  #flushing = new Map();

  /**
   * @param {AudioContext | OfflineAudioContext} context
   * @param {Listener} listener
   */
  constructor(context, listener) {
    this.#listener = listener;
    this.#node = new AudioWorkletNode(context, "player", {
      numberOfInputs: 0,
      numberOfOutputs: 1,
      outputChannelCount: [1],
    });
    this.#node.port.onmessage = ({ data }) => this.#hear(data);
    this.#node.connect(context.destination);
  }

  /** How far the last reply was played; null before the first. */
  get playhead() {
    return this.#playhead;
  }

  /** A new conversation, whose replies come at `rate` samples a second. @param {number} rate */
  begin(rate) {
    this.#playhead = null;
    this.#node.port.postMessage({ kind: "begin", rate });
  }

  /** @param {import("./protocol.js").ReplyAudio} audio */
  add({ turn, firstSample, pcm }) {
    this.#node.port.postMessage({ kind: "add", turn, first: firstSample, pcm }, [pcm.buffer]);
  }

  /** All of this turn's reply has come: what waits need not wait for more. @param {number} turn */
  finish(turn) {
    this.#node.port.postMessage({ kind: "finish", turn });
  }

  /**
   * Stop this turn's reply; `onFlushed` follows, once. Audio of the turn from `upto` on is another reply, and is played.
   * @param {number} turn
   * @param {number} upto
   */
  flush(turn, upto) {
    clearTimeout(this.#flushing.get(turn));
    const answer = () => this.#flushed(turn, this.#playhead?.turn === turn ? this.#playhead.samples : 0);
    this.#flushing.set(turn, setTimeout(answer, FLUSH_MS));
    this.#node.port.postMessage({ kind: "flush", turn, upto });
  }

  /**
   * Play this turn's reply softly. It ends with the reply, with a flush of it and with the next reply at the latest.
   * @param {number} turn
   * @param {number} gain 0 to 1
   */
  duck(turn, gain) {
    this.#node.port.postMessage({ kind: "duck", turn, gain });
  }

  /** Play at full loudness again. */
  rise() {
    this.duck(0, 1);
  }

  close() {
    for (const timer of this.#flushing.values()) clearTimeout(timer);
    this.#node.port.postMessage({ kind: "close" });
    this.#node.disconnect();
  }

  /** @param {{kind: string, turn: number, samples: number, level: number}} data */
  #hear({ kind, turn, samples, level }) {
    if (kind === "level") this.#listener.onLevel(level);
    else if (kind === "started") this.#listener.onStarted(turn);
    else if (kind === "flushed") this.#flushed(turn, samples);
    else if (kind === "ducked") this.#listener.onDucked(turn !== 0);
    else {
      this.#playhead = { turn, samples };
      this.#listener.onPlayback(turn, samples);
    }
  }

  /** @param {number} turn @param {number} samples */
  #flushed(turn, samples) {
    if (!this.#flushing.has(turn)) return;
    clearTimeout(this.#flushing.get(turn));
    this.#flushing.delete(turn);
    this.#playhead = { turn, samples };
    this.#listener.onFlushed(turn, samples);
  }
}
