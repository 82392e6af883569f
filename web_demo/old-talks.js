// @ts-check
/**
 * Conversations that were had, to be read again.
 */

import { door } from "./login.js";
import { piece } from "./piece.js";

const SHOWN = 100;

/** @typedef {import("./mine.js").Told} Told */
/** @typedef {{id: string, created_at: string, turn_count: number}} Talk */
/** @typedef {{role: "user" | "assistant", content: string}} Line */

export class OldTalks {
  #place;
  #told;

  /** @param {HTMLElement} place @param {Told} told */
  constructor(place, told) {
    this.#place = place;
    this.#told = told;
  }

  /** Throws Refused. */
  async load() {
    /** @type {Talk[]} */
    const all = await door.ask(`/chat/sessions?limit=${SHOWN}`);
    const talks = all.filter(({ turn_count }) => turn_count > 0); // others were only thought of
    this.#place.replaceChildren(
      talks.length > 0
        ? piece("ul", talks.map((talk) => piece("li", [this.#draw(talk)])), "talks")
        : piece("p", this.#told.words().noTalks),
    );
  }

  /** What was said in it is asked for when it is opened. @param {Talk} talk */
  #draw({ id, created_at, turn_count }) {
    const words = this.#told.words();
    const lines = piece("ol", [], "lines");
    const talk = piece("details", [piece("summary", words.talkOf(words.moment(created_at), turn_count)), lines]);
    talk.addEventListener("toggle", () => {
      if (talk.open && lines.childElementCount === 0) void this.#told.asked(() => this.#read(id, lines));
    });
    return talk;
  }

  /** @param {string} id @param {HTMLElement} place */
  async #read(id, place) {
    /** @type {Line[]} */
    const said = await door.ask(`/chat/sessions/${id}?limit=${SHOWN}`);
    const words = this.#told.words();
    place.replaceChildren(
      ...said
        .filter(({ content }) => content !== "")
        .map(({ role, content }) =>
          piece("li", [piece("b", role === "user" ? words.you : words.dog), piece("span", content)]),
        ),
    );
  }
}
