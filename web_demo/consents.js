// @ts-check
/**
 * What the person agreed to, one by one, to be agreed to or withdrawn.
 */

import { door } from "./login.js";
import { button, piece } from "./piece.js";
import { twice } from "./twice.js";

/** @typedef {import("./mine.js").Told} Told */

const NAMES = /** @type {const} */ (["memories", "keep_voice", "outside_services"]);

export class MyConsents {
  #place;
  #told;

  /** @param {HTMLElement} place @param {Told} told */
  constructor(place, told) {
    this.#place = place;
    this.#told = told;
  }

  /** Throws Refused. */
  async load() {
    this.#draw((await door.ask("/users/me")).consents);
  }

  /** @param {Record<string, {granted: boolean}>} consents */
  #draw(consents) {
    const words = this.#told.words();
    const items = NAMES.map((name) => {
      const { title, hint } = words.consents[name];
      const granted = consents[name]?.granted ?? false;
      const state = piece("span", granted ? words.granted : words.notGranted);
      return piece("li", [
        piece("span", [piece("b", title), piece("span", hint), state], "what"),
        this.#choice(name, granted),
      ]);
    });
    this.#place.replaceChildren(piece("ul", items, "removable"));
  }

  /** What is deleted at once with the consent is asked about once more. @param {typeof NAMES[number]} name @param {boolean} granted */
  #choice(name, granted) {
    const words = this.#told.words();
    const { title } = words.consents[name];
    const decide = () => this.#told.asked(() => this.#decide(name, !granted));
    if (!granted) return button(words.grant, () => void decide(), words.grantThis(title));
    if (name !== "keep_voice") return button(words.withdraw, () => void decide(), words.withdrawThis(title));
    return twice({
      label: words.withdraw,
      name: words.withdrawThis(title),
      question: words.reallyWithdrawVoice,
      words,
      sure: decide,
    });
  }

  /** @param {typeof NAMES[number]} name @param {boolean} granted */
  async #decide(name, granted) {
    const { consents } = await door.ask("/users/me", { consents: { [name]: granted } }, "PATCH");
    this.#draw(consents);
    this.#told.say(this.#told.words().saved);
    this.#place.querySelectorAll("li")[NAMES.indexOf(name)]?.querySelector("button")?.focus();
    this.#told.changed();
  }
}
