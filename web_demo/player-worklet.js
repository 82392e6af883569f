// @ts-check
/**
 * On the audio thread: replies wait in a jitter buffer, take the device's sample rate, and sound.
 */

import { JitterBuffer } from "./jitter-buffer.js";
import { Resampler } from "./resampler.js";

/** How often the playhead is told while a reply plays. */
const REPORT_SECONDS = 0.2;
const LEVEL_SECONDS = 0.04;
const QUIET = 0.001;
/** How long the way to another loudness takes, from silence to full. */
const RAMP_SECONDS = 0.06;

class PlayerProcessor extends AudioWorkletProcessor {
  /** @type {JitterBuffer | null} */
  #buffer = null;
  /** @type {Resampler | null} */
  #resampler = null;
  #rate = 0;
  #source = new Float32Array(0);
  #gain = 1;
  #wantedGain = 1;
  /** The turn whose reply is played softly; 0: none. */
  #ducked = 0;
  #sinceReport = 0;
  #sinceLevel = 0;
  #squares = 0;
  #told = 0;
  #closed = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.#obey(data);
  }

  /** @param {any} order */
  #obey(order) {
    if (order.kind === "begin") this.#begin(order.rate);
    else if (order.kind === "add") this.#buffer?.add(order.turn, order.first, order.pcm);
    else if (order.kind === "finish") {
      this.#buffer?.finish(order.turn);
      this.#riseAfter(order.turn);
    } else if (order.kind === "flush") {
      const samples = this.#buffer?.flush(order.turn, order.upto) ?? 0;
      this.port.postMessage({ kind: "flushed", turn: order.turn, samples });
      if (order.turn === this.#ducked) this.#duck(0, 1);
    } else if (order.kind === "duck") this.#duck(order.turn, order.gain);
    else if (order.kind === "close") this.#closed = true;
  }

  /** @param {number} turn whose reply is played at this loudness; 0: whatever comes @param {number} gain */
  #duck(turn, gain) {
    const ducked = gain < 1 ? turn : 0;
    if ((ducked === 0) !== (this.#ducked === 0)) this.port.postMessage({ kind: "ducked", turn: ducked });
    this.#ducked = ducked;
    this.#wantedGain = gain;
  }

  /** Softness ends with the reply that it was for, whatever else is told. @param {number} turn */
  #riseAfter(turn) {
    if (turn === this.#ducked && this.#buffer?.over(turn)) this.#duck(0, 1);
  }

  /** @param {number} rate */
  #begin(rate) {
    this.#duck(0, 1);
    if (this.#buffer !== null && rate === this.#rate) {
      this.#buffer.reset();
      return;
    }
    this.#rate = rate;
    this.#buffer = new JitterBuffer(rate);
    this.#resampler = new Resampler(rate, sampleRate);
  }

  /** @param {Float32Array[][]} inputs @param {Float32Array[][]} outputs */
  process(inputs, outputs) {
    const out = outputs[0][0];
    if (this.#buffer === null || this.#resampler === null) return !this.#closed;
    const needed = this.#resampler.needed(out.length);
    if (this.#source.length < needed) this.#source = new Float32Array(needed);
    const source = this.#source.subarray(0, needed);
    this.#buffer.read(source);
    out.set(this.#resampler.process(source, out.length));
    this.#shape(out);
    this.#report(this.#buffer, out.length);
    return !this.#closed;
  }

  /** Loudness, on its way to what was asked for. @param {Float32Array} out */
  #shape(out) {
    const step = 1 / (RAMP_SECONDS * sampleRate);
    for (let i = 0; i < out.length; i += 1) {
      this.#gain += Math.max(-step, Math.min(step, this.#wantedGain - this.#gain));
      out[i] *= this.#gain;
      this.#squares += out[i] * out[i];
    }
  }

  /** @param {JitterBuffer} buffer @param {number} samples */
  #report(buffer, samples) {
    for (const { kind, turn, samples: played } of buffer.happened.splice(0)) {
      this.port.postMessage({ kind, turn, samples: played });
      if (kind === "dry") this.#riseAfter(turn);
      else if (this.#ducked !== 0 && turn !== this.#ducked) this.#duck(0, 1);
    }
    this.#sinceLevel += samples;
    if (this.#sinceLevel >= LEVEL_SECONDS * sampleRate) {
      const level = Math.min(1, 4 * Math.sqrt(this.#squares / this.#sinceLevel));
      // In silence nothing is told, but for the silence itself, once.
      if (level > QUIET || this.#told > QUIET) this.port.postMessage({ kind: "level", level });
      this.#told = level;
      this.#sinceLevel = 0;
      this.#squares = 0;
    }
    this.#sinceReport = buffer.playing ? this.#sinceReport + samples : 0;
    if (this.#sinceReport >= REPORT_SECONDS * sampleRate) {
      this.#sinceReport = 0;
      this.port.postMessage({ kind: "playhead", turn: buffer.turn, samples: buffer.playhead(buffer.turn) });
    }
  }
}

registerProcessor("player", PlayerProcessor);
