// @ts-check
/**
 * Reply audio between the network, which brings it when it likes, and the loudspeaker, which wants it now.
 *
 * Time is samples read: there is no clock in here. Playing begins once enough waits (`START_MS`), or all there will be,
 * or when what there is has waited that long. Each time it runs dry in the midst of a reply more is waited for.
 */

const START_MS = 100;
/** More to wait for after each time it ran dry in the midst of a reply … */
const GROW_MS = 60;
/** … up to this; longer a listener takes for a silence of the puppy's. */
const MOST_MS = 400;
/** Less to wait for after each reply that never ran dry. */
const SHRINK_MS = 20;
/** Long enough that no click is heard where the sound stops, short enough to be at once. */
const FADE_MS = 5;
/** A gateway sends about 3 s ahead. What lies beyond this is not taken, and so is never acknowledged as played. */
const MOST_WAITING_SECONDS = 120;
/** Turns whose playheads are remembered; the server asks about the present one only. */
const REMEMBERED_TURNS = 32;

/**
 * @typedef {{turn: number, position: number, pcm: Float32Array}} Stretch `position`: of pcm[0] within the turn's reply
 * @typedef {{kind: "started" | "dry", turn: number, samples: number}} Happening
 * @typedef {{wanted: number, played: number, finished: boolean, begun: boolean}} Known of a turn: the next sample to be
 *     taken, how far it was played, whether all of its present reply has come, and whether any of that was played
 */

export class JitterBuffer {
  #rate;
  #target;
  /** @type {Stretch[]} */
  #waiting = [];
  #waitingSamples = 0;
  #playing = false;
  /** Samples read while what waits was not yet enough. */
  #patience = 0;
  #smooth = true;
  /** What still sounds after a stop. @type {Float32Array} */
  #tail = new Float32Array(0);
  #fadedIn = 0;
  /** The sample and the turn that were played last. */
  #last = 0;
  #lastTurn = 0;
  /** @type {Map<number, Known>} */
  #turns = new Map();

  /** How often it ran dry in the midst of a reply. */
  underruns = 0;
  /** What happened since somebody last took it: whoever reads empties it. @type {Happening[]} */
  happened = [];

  /** @param {number} rate samples a second */
  constructor(rate) {
    this.#rate = rate;
    this.#target = this.#samples(START_MS);
  }

  /** The turn whose reply is being played, or waits to be; 0 if none. */
  get turn() {
    if (this.#waiting.length > 0) return this.#waiting[0].turn;
    return this.#playing ? this.#lastTurn : 0; // all of it was read, but it is not known yet that no more comes
  }

  /** True while sound comes out of it. */
  get playing() {
    return this.#playing;
  }

  /** How much must wait before playing begins, in milliseconds. */
  get targetMs() {
    return (this.#target * 1000) / this.#rate;
  }

  /**
   * How much of a turn's reply was played, in samples from its first.
   * @param {number} turn
   */
  playhead(turn) {
    return this.#turns.get(turn)?.played ?? 0;
  }

  /**
   * Take audio that starts at `first` of the turn's audio. What is there already, or was flushed, is left out.
   * @param {number} turn
   * @param {number} first
   * @param {Float32Array} pcm
   */
  add(turn, first, pcm) {
    const known = this.#known(turn);
    const fresh = pcm.subarray(Math.min(pcm.length, Math.max(0, known.wanted - first)));
    if (fresh.length === 0) return;
    if (this.#waitingSamples + fresh.length > MOST_WAITING_SECONDS * this.#rate) return;
    const position = first + pcm.length - fresh.length;
    this.#waiting.push({ turn, position, pcm: fresh });
    this.#waitingSamples += fresh.length;
    known.wanted = position + fresh.length;
  }

  /**
   * All of this turn's reply has come.
   * @param {number} turn
   */
  finish(turn) {
    this.#known(turn).finished = true;
  }

  /**
   * Whether this turn's reply has come whole and was played to its end.
   * @param {number} turn
   */
  over(turn) {
    return this.#known(turn).finished && this.turn !== turn;
  }

  /**
   * Stop this turn's reply now and drop the rest of it. Audio of the turn that begins at `upto` or later is another
   * reply to it, and will be played.
   * @param {number} turn
   * @param {number} upto
   * @returns {number} its playhead
   */
  flush(turn, upto) {
    const known = this.#known(turn);
    known.wanted = upto;
    known.finished = known.begun = false;
    if (this.#playing && this.turn === turn) this.#fadeOut();
    this.#waiting = this.#waiting.filter((stretch) => stretch.turn !== turn);
    this.#waitingSamples = this.#waiting.reduce((sum, stretch) => sum + stretch.pcm.length, 0);
    return known.played;
  }

  /** A new conversation: turns are counted from 1 again. */
  reset() {
    if (this.#playing) this.#fadeOut();
    this.#waiting = [];
    this.#waitingSamples = 0;
    this.#turns.clear();
    this.happened = [];
  }

  /**
   * Fill `out` with the next samples, with silence where there are none.
   * @param {Float32Array} out
   */
  read(out) {
    out.fill(0);
    this.#soundTail(out);
    if (!this.#playing && !this.#mayBegin(out.length)) return;
    let filled = 0;
    while (filled < out.length && this.#waiting.length > 0) {
      const stretch = this.#waiting[0];
      const count = Math.min(out.length - filled, stretch.pcm.length);
      for (let i = 0; i < count; i += 1) out[filled + i] += stretch.pcm[i] * this.#fadeIn();
      this.#last = stretch.pcm[count - 1];
      filled += count;
      this.#played(stretch, count);
    }
    if (filled < out.length) this.#runDry(out, filled);
  }

  /** @param {number} length */
  #mayBegin(length) {
    if (this.#waiting.length === 0) return false;
    this.#patience += length;
    const all = this.#known(this.turn).finished;
    if (!all && this.#waitingSamples < this.#target && this.#patience < this.#target) return false;
    this.#playing = true;
    this.#patience = 0;
    this.#fadedIn = 0;
    this.#begin(this.turn);
    return true;
  }

  /** A reply sounds, from its first sample or on. @param {number} turn */
  #begin(turn) {
    const known = this.#known(turn);
    if (!known.begun) this.#happen("started", turn);
    known.begun = true;
  }

  /** @param {Stretch} stretch @param {number} count */
  #played(stretch, count) {
    const known = this.#known(stretch.turn);
    stretch.pcm = stretch.pcm.subarray(count);
    stretch.position += count;
    known.played = stretch.position;
    this.#lastTurn = stretch.turn;
    this.#waitingSamples -= count;
    if (stretch.pcm.length > 0) return;
    this.#waiting.shift();
    const next = this.turn;
    if (next === stretch.turn) return;
    this.#happen("dry", stretch.turn);
    this.#begin(next);
  }

  /** @param {Float32Array} out @param {number} filled */
  #runDry(out, filled) {
    const turn = this.#lastTurn;
    this.#playing = false;
    if (this.#known(turn).finished) {
      if (this.#smooth) this.#target = Math.max(this.#samples(START_MS), this.#target - this.#samples(SHRINK_MS));
      this.#smooth = true;
    } else {
      this.underruns += 1;
      this.#smooth = false;
      this.#target = Math.min(this.#samples(MOST_MS), this.#target + this.#samples(GROW_MS));
    }
    this.#happen("dry", turn);
    this.#tail = ramp(new Float32Array(this.#samples(FADE_MS)).fill(this.#last));
    this.#soundTail(out.subarray(filled));
  }

  #fadeOut() {
    const rest = this.#waiting[0]?.pcm ?? new Float32Array(0);
    this.#tail = ramp(rest.slice(0, this.#samples(FADE_MS)));
    this.#playing = false;
  }

  #fadeIn() {
    const length = this.#samples(FADE_MS);
    if (this.#fadedIn >= length) return 1;
    this.#fadedIn += 1;
    return this.#fadedIn / length;
  }

  /** @param {Float32Array} out */
  #soundTail(out) {
    const count = Math.min(out.length, this.#tail.length);
    for (let i = 0; i < count; i += 1) out[i] += this.#tail[i];
    this.#tail = this.#tail.subarray(count);
  }

  /** @param {"started" | "dry"} kind @param {number} turn */
  #happen(kind, turn) {
    this.happened.push({ kind, turn, samples: this.playhead(turn) });
  }

  /** @param {number} turn */
  #known(turn) {
    let known = this.#turns.get(turn);
    if (known === undefined) {
      known = { wanted: 0, played: 0, finished: false, begun: false };
      this.#turns.set(turn, known);
      if (this.#turns.size > REMEMBERED_TURNS) this.#turns.delete(this.#turns.keys().next().value ?? 0);
    }
    return known;
  }

  /** @param {number} ms */
  #samples(ms) {
    return Math.round((ms * this.#rate) / 1000);
  }
}

/** Down to silence, in place. @param {Float32Array} pcm */
function ramp(pcm) {
  for (let i = 0; i < pcm.length; i += 1) pcm[i] *= 1 - (i + 1) / pcm.length;
  return pcm;
}
