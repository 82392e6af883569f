// @ts-check
/**
 * How one turn went besides its words: how long was waited and why, whether the reply was ready beforehand, when the
 * voice was lowered and for what, and what was answered without thinking. Facts come in as the server tells them;
 * `lines` says them for whoever looks at the details.
 */

/**
 * @typedef {import("./protocol.js").ServerEvent} ServerEvent
 * @typedef {import("./words.js").WORDS["ko"]} Words
 * @typedef {{kind: string, text: string}} Line
 */

/** What the server calls a short sound that is made while a reply is not ready. */
export const FILLER = "filler";

export class Course {
  /** The newest wait that was told of. @type {{ms: number, because: string, ending: string, probability: number | null, faded: number | null} | null} */
  #wait = null;
  #ended = false;
  #speculation = "none";
  #missed = 0;
  #merges = 0;
  #filled = false;
  #distress = "";
  #source = "";
  /** What each lowering of the voice was for; empty while nobody knows. @type {string[]} */
  #ducks = [];

  /** `endpoint.wait`, or what `turn.ended` says of it. @param {ServerEvent} event */
  waits({ type, wait_ms, because, ending, end_probability, faded, speculation }) {
    this.#ended = type === "turn.ended";
    if (because) this.#wait = { ms: wait_ms, because, ending, probability: end_probability, faded: faded ?? null };
    if (this.#ended) this.#speculation = speculation ?? "none";
  }

  /** @param {string} state */
  speculates(state) {
    if (state === "missed") this.#missed += 1;
  }

  /** The last that is told of one counts: what seemed an echo may have been words. @param {boolean} ducked @param {string} because */
  ducks(ducked, because) {
    if (ducked) this.#ducks.push("");
    else if (this.#ducks.length > 0) this.#ducks[this.#ducks.length - 1] = because;
  }

  /** The person went on after the reply had begun. */
  merges() {
    this.#merges += 1;
    this.#source = "";
  }

  /** @param {string} source of a sentence of the reply */
  answers(source) {
    if (source === FILLER) this.#filled = true;
    else this.#source = source;
  }

  /** @param {string} kind */
  distresses(kind) {
    this.#distress = kind;
  }

  /** All of it in plain words, in the order in which a turn passes it. @param {Words} words @returns {Line[]} */
  lines(words) {
    const said = words.course;
    /** @type {[string, string | undefined][]} */
    const lines = [
      ["wait", this.#waitWords(words)],
      ["evidence", this.#evidenceWords(words)],
      ["missed", this.#missed > 0 ? said.missed(this.#missed) : undefined],
      ["hit", this.#speculation === "hit" ? said.hit : undefined],
      ["filler", this.#filled ? said.filler : undefined],
      ["distress", this.#distress === "" ? undefined : said.distress],
      ["fixed", look(said.fixed, this.#source)],
      ...this.#ducks.map((because) => /** @type {[string, string]} */ (["duck", look(said.duck, because) ?? said.duck.other])),
      ["merge", this.#merges > 0 ? said.merge(this.#merges) : undefined],
    ];
    return lines.flatMap(([kind, text]) => (text === undefined ? [] : [{ kind, text }]));
  }

  /** @param {Words} words */
  #waitWords({ course }) {
    if (this.#wait === null) return undefined;
    const { ms, because, ending, probability } = this.#wait;
    const sound = probability === null ? undefined : probability >= 0.5 ? course.sound.ended : course.sound.goesOn;
    const byEnding = ending === "open" ? undefined : look(course.ending, ending);
    const why = {
      words: look(course.ending, ending),
      sound,
      both: byEnding ?? sound,
      fading: course.fading,
      pauses: course.pauses,
      fixed: course.fixedWait,
    }[because];
    const seconds = (ms / 1000).toFixed(1);
    return this.#ended ? course.waited(why ?? course.somehow, seconds) : course.waits(why ?? course.somehow, seconds);
  }

  /** @param {Words} words */
  #evidenceWords({ course }) {
    if (this.#wait === null) return undefined;
    const { ending, probability, faded } = this.#wait;
    const known = [];
    if (ending !== "") known.push(course.endingIs(look(course.endingName, ending) ?? ending));
    if (probability !== null) known.push(course.soundIs(Math.round(100 * probability)));
    if (faded !== null) known.push(course.fadedIs(Math.round(100 * faded)));
    return known.length === 0 ? undefined : known.join(" · ");
  }
}

/** What a table has under a name that the server gave, which may be new to this page. @param {Record<string, string>} table @param {string} name */
function look(table, name) {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
