// @ts-check
/**
 * When what happened in one turn, counted from the end of the person's words, and how that is drawn: a bar for the
 * eye, and the same numbers as a list.
 */

/** The stages, in the order in which a quiet turn passes them. */
export const STAGES = /** @type {const} */ (["endpoint", "final", "text", "audio", "played"]);
/** @typedef {(typeof STAGES)[number]} Stage */
/** @typedef {import("./words.js").WORDS["ko"]} Words */

export class Timeline {
  /** @type {Map<Stage, number>} */
  #marks = new Map();
  #zero = 0;
  /** How long the server waited after the last word, in milliseconds. */
  waitMs = 0;
  /** What the server measured; names come and go. @type {Record<string, number>} */
  server = {};

  /**
   * The person's words ended at `zero`. They may have gone on after all: then everything is counted anew.
   * @param {number} zero milliseconds of the page's clock
   * @param {number} waitMs
   */
  begin(zero, waitMs) {
    this.#zero = zero;
    this.waitMs = waitMs;
    this.#marks.clear();
  }

  /**
   * A stage was reached; the first time counts.
   * @param {Stage} stage
   * @param {number} at milliseconds of the page's clock
   */
  mark(stage, at) {
    if (this.#zero > 0 && !this.#marks.has(stage)) this.#marks.set(stage, Math.max(0, at - this.#zero));
  }

  /** Whether this stage was reached. @param {Stage} stage */
  has(stage) {
    return this.#marks.has(stage);
  }

  /** Milliseconds from the end of the words to each stage reached, the earliest first. */
  get reached() {
    return [...this.#marks].sort(([, a], [, b]) => a - b);
  }

  /** From the last word to the first sound, in milliseconds; null while there is none. */
  get replyMs() {
    return this.#marks.get("played") ?? this.#marks.get("audio") ?? null;
  }
}

/**
 * Draw it into `place`, a `details` element, after what is to be said of the turn besides its times.
 * @param {HTMLDetailsElement} place
 * @param {Timeline} timeline
 * @param {import("./course.js").Line[]} course
 * @param {Words} words
 */
export function drawDetails(place, timeline, course, words) {
  const { reached, replyMs } = timeline;
  place.hidden = reached.length === 0 && course.length === 0;
  // The same element each time: whoever has come to it by keyboard stays there.
  const summary = place.querySelector("summary") ?? element("summary", "");
  summary.textContent = replyMs === null ? words.details : words.answered(seconds(replyMs));
  const list = element("ol", "stages");
  for (const [stage, ms] of reached) {
    const line = element("li", stage);
    line.append(element("span", "what", words.marks[stage]), element("span", "number", words.seconds(seconds(ms))));
    if (stage === "endpoint" && timeline.waitMs > 0) {
      line.append(element("span", "part", words.waited(seconds(timeline.waitMs))));
    }
    list.append(line);
  }
  const told = element("ul", "course");
  told.append(...course.map(({ kind, text }) => element("li", kind, text)));
  const timed = reached.length > 0 ? [bar(reached), list, element("p", "note", words.fromEnd)] : [];
  for (const old of [...place.children].filter((child) => child !== summary)) old.remove();
  if (summary.parentElement !== place) place.append(summary);
  place.append(...(course.length > 0 ? [told] : []), ...timed, ...serverList(timeline, words));
}

/** @param {[Stage, number][]} reached */
function bar(reached) {
  const whole = element("div", "bar");
  whole.setAttribute("aria-hidden", "true");
  const total = Math.max(1, reached.at(-1)?.[1] ?? 1);
  let before = 0;
  for (const [stage, ms] of reached) {
    const piece = element("div", stage);
    piece.style.flexGrow = String((ms - before) / total);
    before = ms;
    whole.append(piece);
  }
  return whole;
}

/** What the server measured, by the names it gives. @param {Timeline} timeline @param {Words} words */
function serverList({ server }, words) {
  const known = Object.entries(server);
  if (known.length === 0) return [];
  const list = element("ul", "server");
  list.append(...known.map(([name, ms]) => element("li", "", `${name} ${Math.round(ms)} ms`)));
  list.lang = "en";
  return [element("p", "note", words.server), list];
}

/** @param {number} ms */
function seconds(ms) {
  return (ms / 1000).toFixed(2);
}

/** @param {string} name @param {string} className @param {string} [text] */
function element(name, className, text) {
  const made = document.createElement(name);
  if (className !== "") made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
