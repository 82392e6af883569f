// @ts-check
/**
 * The captions of both sides, a turn at a time, the newest last.
 */

import { Course, FILLER } from "./course.js";
import { Timeline, drawDetails } from "./timeline.js";

/** Turns kept on the page; older ones are in the server's memory, not in the browser's. */
const MOST_TURNS = 40;
/** How near the end of the list one must be to be taken along with it. */
const AT_THE_END = "0px 0px 120px 0px";

/** @typedef {import("./words.js").WORDS["ko"]} Words */

export class Captions {
  #list;
  #end;
  #announcer;
  #following = true;
  /** @type {Map<number, Turn>} */
  #turns = new Map();
  #words;
  #language;

  /**
   * @param {{list: HTMLElement, end: HTMLElement, announcer: HTMLElement}} places `end` stands below the list
   * @param {"ko" | "en"} language of the conversation
   * @param {Words} words of the page
   */
  constructor({ list, end, announcer }, language, words) {
    this.#list = list;
    this.#end = end;
    this.#announcer = announcer;
    this.#language = language;
    this.#words = words;
    const seen = (/** @type {IntersectionObserverEntry[]} */ entries) => {
      this.#following = entries.some((entry) => entry.isIntersecting);
    };
    new IntersectionObserver(seen, { rootMargin: AT_THE_END }).observe(end);
  }

  /** The turn of this number, made when it is first spoken of. @param {number} number */
  turn(number) {
    let turn = this.#turns.get(number);
    if (turn === undefined) {
      turn = new Turn(this.#language, this.#words);
      this.#turns.set(number, turn);
      this.#list.append(turn.element);
      if (this.#list.childElementCount > MOST_TURNS) this.#list.firstElementChild?.remove();
      this.#following = true; // whoever speaks again looks at what is said now
    }
    return turn;
  }

  /** The turn of this number, if it was spoken of. @param {number} number */
  known(number) {
    return this.#turns.get(number);
  }

  /** Nothing was said after all: nothing of it is shown. @param {number} number */
  drop(number) {
    this.#turns.get(number)?.element.remove();
    this.#turns.delete(number);
  }

  /**
   * What was heard while this turn's reply was played was nothing said to the puppy, or belongs to this very turn:
   * turns after it that nobody has finished are none.
   * @param {number} number
   */
  dropAfter(number) {
    for (const [later, turn] of this.#turns) if (later > number && !turn.ended) this.drop(later);
  }

  /** A new session counts its turns from 1 again; what was said before stays to be read. */
  forgetNumbers() {
    this.#turns.clear();
  }

  /**
   * Say it to a screen reader, once it stands fast. The puppy's own sentences are not said so: they are spoken aloud,
   * and two voices at once are heard by nobody.
   * @param {string} text
   */
  announce(text) {
    this.#announcer.lang = this.#language;
    this.#announcer.textContent = text;
  }

  /** What stands there, for another page that goes on with the conversation. @returns {import("./kept-talk.js").Line[]} */
  get lines() {
    return [...this.#turns].map(([number, turn]) => ({ turn: number, ...turn.line }));
  }

  /** @param {import("./kept-talk.js").Line[]} lines of an earlier page */
  restore(lines) {
    for (const line of lines) this.turn(line.turn).restore(line);
  }

  /** The newest comes into sight, wherever the person was reading. */
  showNewest() {
    this.#following = true;
    this.follow();
  }

  /** Keep the newest in sight, unless the person is reading what was said before. */
  follow() {
    if (this.#following) this.#end.scrollIntoView({ block: "nearest" });
  }
}

/** One turn: what the person said, what the puppy answered, how long it took and how it went. */
export class Turn {
  timeline = new Timeline();
  course = new Course();
  /** Whether the server has said that the utterance is over. */
  ended = false;
  /** The present reply's sentences, a filler's left out. @type {string[]} */
  #sentences = [];
  #replyNumber = 0;
  /** The sentences that are no words, and whether one of them is the first to sound. @type {Set<number>} */
  #fillers = new Set();
  #beginsWithFiller = false;
  /** The reply was flushed: if the person goes on with the same turn, it was taken back. */
  #flushed = false;
  #words;
  #person;
  #stable;
  #tentative;
  #puppy;
  #reply;
  #details;

  /** @param {"ko" | "en"} language @param {Words} words */
  constructor(language, words) {
    this.#words = words;
    this.#stable = part("span", "stable");
    this.#tentative = part("span", "tentative");
    this.#person = side("person", words.you, language, this.#stable, this.#tentative);
    this.#reply = part("span", "reply");
    this.#puppy = side("puppy", words.dog, language, this.#reply);
    this.#details = document.createElement("details");
    this.#details.className = "timeline";
    this.element = document.createElement("li");
    this.element.append(this.#person, this.#puppy, this.#details);
    this.#details.hidden = this.#person.hidden = this.#puppy.hidden = true;
  }

  /**
   * The caption so far. What may still change is marked for the eye and kept from screen readers.
   * @param {string} stable
   * @param {string} tentative
   */
  showPartial(stable, tentative) {
    this.#stable.textContent = stable;
    this.#tentative.textContent = tentative === "" ? "" : `${stable === "" ? "" : " "}${tentative}`;
    this.#tentative.ariaHidden = "true";
    this.#person.hidden = stable === "" && tentative === "";
  }

  /** @param {string} text */
  showFinal(text) {
    this.showPartial(text, "");
  }

  /**
   * A sentence of a reply. That of a later one takes the place of an earlier reply, which was taken back; a filler is
   * no words, and goes when there are some.
   * @param {{reply: number, sentence: number, text: string, source: string}} spoken
   */
  addSentence({ reply, sentence, text, source }) {
    if (reply > this.#replyNumber) this.#sentences = [];
    this.#replyNumber = reply;
    this.course.answers(source);
    if (source === FILLER) this.#fillers.add(sentence);
    else this.#sentences.push(text);
    const [first, ...rest] = this.#sentences;
    if (first === undefined) this.#reply.replaceChildren(hushed(this.#words.filler));
    else this.#reply.textContent = [first, ...rest].join(" ");
    this.#puppy.hidden = false;
  }

  get line() {
    return { person: this.#stable.textContent ?? "", puppy: this.#sentences.join(" "), reply: this.#replyNumber };
  }

  /** @param {{person: string, puppy: string, reply: number}} line */
  restore({ person, puppy, reply }) {
    this.showPartial(person, "");
    if (puppy === "") return;
    this.#replyNumber = reply;
    this.#sentences = [puppy];
    this.#reply.textContent = puppy;
    this.#puppy.hidden = false;
  }

  /** The utterance is over. @param {import("./protocol.js").ServerEvent} event */
  end(event) {
    this.ended = true;
    this.#beginsWithFiller = false;
    this.course.waits(event);
  }

  /** Sound of this sentence has come. A filler's is no answer, and is not timed. @param {number} sentence */
  showAudio(sentence) {
    if (!this.#fillers.has(sentence)) this.timeline.mark("audio", performance.now());
    else if (!this.timeline.has("audio")) this.#beginsWithFiller = true;
  }

  /** @param {number} at milliseconds of the page's clock: the first sample of the reply sounds */
  showPlayed(at) {
    if (!this.#beginsWithFiller) this.timeline.mark("played", at);
  }

  /** The reply is to be played no further. */
  flush() {
    this.#flushed = true;
  }

  /**
   * The person speaks in this turn. After a flush that means that they went on with it: the reply is struck out until
   * there is another. Returns whether that was news.
   */
  goOn() {
    if (!this.#flushed) return false;
    this.#flushed = false;
    this.course.merges();
    const whole = part("s", "unheard");
    whole.textContent = this.#reply.textContent;
    this.#reply.replaceChildren(whole);
    return true;
  }

  /** The reply was broken off: this much of it was heard. @param {string} heard */
  showHeard(heard) {
    const whole = this.#sentences.join(" ");
    if (heard === whole || !whole.startsWith(heard)) return;
    const rest = part("s", "unheard");
    rest.textContent = whole.slice(heard.length);
    this.#reply.replaceChildren(heard, rest);
    this.#note(this.#words.interruptedAfter);
  }

  showUnanswered() {
    this.#note(this.#words.unanswered);
    this.#puppy.hidden = false;
  }

  drawDetails() {
    drawDetails(this.#details, this.timeline, this.course.lines(this.#words), this.#words);
  }

  /** @param {string} text */
  #note(text) {
    if (this.#puppy.querySelector(".note") !== null) return;
    const note = part("span", "note");
    note.textContent = text;
    this.#puppy.append(note);
  }
}

/** What is seen and not read out. @param {string} text */
function hushed(text) {
  const made = part("span", "filler");
  made.textContent = text;
  made.ariaHidden = "true";
  return made;
}

/** @param {string} className @param {string} who @param {string} language @param {...HTMLElement} parts */
function side(className, who, language, ...parts) {
  const paragraph = part("p", className);
  const name = part("span", "who");
  name.textContent = who;
  const text = part("span", "words");
  text.lang = language;
  text.append(...parts);
  paragraph.append(name, text);
  return paragraph;
}

/** @param {string} name @param {string} className */
function part(name, className) {
  const made = document.createElement(name);
  made.className = className;
  return made;
}
