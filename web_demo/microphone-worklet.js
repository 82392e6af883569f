// @ts-check
/**
 * On the audio thread: the device's sound becomes PCM16 mono at 16 kHz, in frames of 20 ms that are handed over whole.
 */

import { Resampler } from "./resampler.js";

const RATE = 16_000;
const FRAME_SAMPLES = 320;
/** A level for every second frame: 25 a second is as lively as an eye needs. */
const FRAMES_PER_LEVEL = 2;
/** The level's scale, in decibels below full scale: a quiet room, and a voice close by. */
const QUIET_DB = -60;
const LOUD_DB = -12;

class MicrophoneProcessor extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, RATE);
  #frame = new Int16Array(FRAME_SAMPLES);
  #filled = 0;
  #frames = 0;
  #squares = 0;
  #mono = new Float32Array(128);
  #closed = false;

  constructor() {
    super();
    this.port.onmessage = () => (this.#closed = true);
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    // No channels: the device gives nothing now. Time is samples, so nothing is made up for it.
    const channels = inputs[0];
    if (channels.length > 0) {
      for (const sample of this.#resampler.process(this.#mix(channels))) this.#take(sample);
    }
    return !this.#closed;
  }

  /** @param {Float32Array[]} channels */
  #mix(channels) {
    if (channels.length === 1) return channels[0];
    if (this.#mono.length !== channels[0].length) this.#mono = new Float32Array(channels[0].length);
    for (let i = 0; i < this.#mono.length; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.#mono[i] = sum / channels.length;
    }
    return this.#mono;
  }

  /** @param {number} sample -1 to 1 */
  #take(sample) {
    this.#squares += sample * sample;
    this.#frame[this.#filled] = Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_767)));
    this.#filled += 1;
    if (this.#filled < FRAME_SAMPLES) return;
    this.port.postMessage(this.#frame.buffer, [this.#frame.buffer]);
    this.#frame = new Int16Array(FRAME_SAMPLES);
    this.#filled = 0;
    this.#frames += 1;
    if (this.#frames % FRAMES_PER_LEVEL === 0) this.#tellLevel();
  }

  #tellLevel() {
    const db = 10 * Math.log10(this.#squares / (FRAMES_PER_LEVEL * FRAME_SAMPLES) + 1e-12);
    this.#squares = 0;
    this.port.postMessage({ level: Math.max(0, Math.min(1, (db - QUIET_DB) / (LOUD_DB - QUIET_DB))) });
  }
}

registerProcessor("microphone", MicrophoneProcessor);
