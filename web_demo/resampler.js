// @ts-check
/**
 * Another sample rate for a sound that goes on for hours, a block at a time: a polyphase windowed sinc.
 *
 * Positions are kept as whole numbers (a sample and a fraction of `up`-ths), so nothing drifts: n seconds in are n
 * seconds out, to the sample. The filter is causal: what it delays (`delaySeconds`, 0.5 to 1.5 ms) it delays for good.
 */

/** Zero crossings on either side of the sinc: with the window's 80 dB this leaves a transition band of some 11 %. */
const ZERO_CROSSINGS = 24;
/** Kaiser's beta for about 80 dB of stop band (Oppenheim & Schafer, Discrete-Time Signal Processing, 7.5.3). */
const KAISER_BETA = 8;
/** Where the pass band's edge stands, as a part of the lower of the two Nyquist frequencies. */
const CUTOFF = 0.93;

export class Resampler {
  #up;
  #down;
  #taps;
  #kernels;
  /** The last `taps` samples, then the block in hand. */
  #history;
  /** Where the next output stands: a sample counted from the block's first, and a fraction in `up`-ths. */
  #at = 0;
  #phase = 0;
  #output = new Float32Array(0);

  /**
   * @param {number} inputRate samples a second
   * @param {number} outputRate samples a second
   */
  constructor(inputRate, outputRate) {
    const divisor = greatestCommonDivisor(Math.round(inputRate), Math.round(outputRate));
    this.#up = Math.round(outputRate) / divisor;
    this.#down = Math.round(inputRate) / divisor;
    const half = Math.ceil(ZERO_CROSSINGS * Math.max(1, this.#down / this.#up));
    this.#taps = 2 * half + 1;
    this.#kernels = kernels(this.#up, this.#down, half);
    this.#history = new Float32Array(this.#taps);
    this.delaySeconds = half / inputRate;
  }

  /**
   * How many samples `process` must be given for `count` to come out of it.
   * @param {number} count
   * @returns {number}
   */
  needed(count) {
    if (count <= 0) return 0;
    return Math.max(0, this.#at + Math.floor((this.#phase + (count - 1) * this.#down) / this.#up) + 1);
  }

  /**
   * The samples that this block completes, `limit` of them at most. The array returned is used again by the next call.
   * @param {Float32Array} block
   * @param {number} [limit]
   * @returns {Float32Array}
   */
  process(block, limit = Infinity) {
    const taps = this.#taps;
    this.#hold(block);
    const room = Math.min(limit, Math.ceil(((block.length + 1) * this.#up) / this.#down) + 1);
    if (this.#output.length < room) this.#output = new Float32Array(room);
    let made = 0;
    while (this.#at < block.length && made < limit) {
      // Of the output at input position `at`, the newest tap is `at` itself, which stands at history[taps + at].
      const newest = taps + this.#at;
      const kernel = this.#phase * taps;
      let sum = 0;
      for (let tap = 0; tap < taps; tap += 1) sum += this.#history[newest - tap] * this.#kernels[kernel + tap];
      this.#output[made] = sum;
      made += 1;
      this.#phase += this.#down;
      this.#at += Math.floor(this.#phase / this.#up);
      this.#phase %= this.#up;
    }
    this.#history.copyWithin(0, block.length, block.length + taps);
    this.#at -= block.length;
    return this.#output.subarray(0, made);
  }

  /** @param {Float32Array} block */
  #hold(block) {
    if (this.#history.length < this.#taps + block.length) {
      const larger = new Float32Array(this.#taps + block.length);
      larger.set(this.#history.subarray(0, this.#taps));
      this.#history = larger;
    }
    this.#history.set(block, this.#taps);
  }
}

/**
 * One filter for each fraction an output may stand at, each of them with a gain of 1 for a constant.
 * @param {number} up
 * @param {number} down
 * @param {number} half taps on either side
 */
function kernels(up, down, half) {
  const taps = 2 * half + 1;
  const cutoff = CUTOFF * Math.min(1, up / down);
  const all = new Float32Array(up * taps);
  for (let phase = 0; phase < up; phase += 1) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const distance = tap + phase / up - half;
      const weight = sinc(cutoff * distance) * kaiser(distance / (half + 1));
      all[phase * taps + tap] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < taps; tap += 1) all[phase * taps + tap] /= sum;
  }
  return all;
}

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** @param {number} x -1 to 1 */
function kaiser(x) {
  return bessel(KAISER_BETA * Math.sqrt(Math.max(0, 1 - x * x))) / bessel(KAISER_BETA);
}

/** The modified Bessel function of order 0, by its series. @param {number} x */
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** @param {number} a @param {number} b @returns {number} */
function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
