// @ts-check
/**
 * What 복실이 remembers of what was told, where the person agreed to that; each can be forgotten.
 */

import { Refused, door } from "./login.js";

const SHOWN = 50;

/** @typedef {{id: string, fact: string}} Memory */
/** @typedef {import("./words.js").WORDS["ko"]} Words */

export class Memories {
  /** @type {Memory[]} */
  #known = [];
  #agreed = false;
  #places;
  #words;
  #complain;

  /**
   * @param {{list: HTMLElement, agree: HTMLElement, state: HTMLElement}} places
   * @param {{words: () => Words, complain: (error: Refused) => void}} told
   */
  constructor(places, { words, complain }) {
    this.#places = places;
    this.#words = words;
    this.#complain = complain;
    places.agree.onclick = () => void this.#asked(() => this.#agree(!this.#agreed));
  }

  /** Ask for them anew. Throws Refused. */
  async load() {
    const me = await door.ask("/users/me");
    this.#agreed = me.consents.memories?.granted ?? false;
    this.#known = await door.ask(`/memories/?limit=${SHOWN}`);
    this.draw();
  }

  /** Nobody is known here. */
  clear() {
    this.#known = [];
    this.#agreed = false;
    this.draw();
  }

  draw() {
    const words = this.#words();
    const { list, agree, state } = this.#places;
    agree.textContent = this.#agreed ? words.noMore : words.remember;
    state.textContent = this.#state(words);
    list.replaceChildren(
      ...this.#known.map((memory) => {
        const item = document.createElement("li");
        const fact = document.createElement("span");
        const forget = document.createElement("button");
        fact.textContent = memory.fact;
        forget.type = "button";
        forget.textContent = words.forget;
        forget.ariaLabel = words.forgetThis(memory.fact);
        forget.onclick = () => void this.#asked(() => this.#forget(memory));
        item.append(fact, forget);
        return item;
      }),
    );
  }

  /** @param {Words} words */
  #state(words) {
    if (!this.#agreed) return words.notRemembering;
    return this.#known.length > 0 ? words.remembering : words.nothingYet;
  }

  /** @param {boolean} granted */
  async #agree(granted) {
    await door.ask("/users/me", { consents: { memories: granted } }, "PATCH");
    await this.load();
  }

  /** @param {Memory} memory */
  async #forget(memory) {
    await door.ask(`/memories/${memory.id}`, null, "DELETE");
    this.#known = this.#known.filter((one) => one !== memory);
    this.draw();
    this.#places.agree.focus();
  }

  /** @param {() => Promise<void>} doing */
  async #asked(doing) {
    try {
      await doing();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#complain(error);
    }
  }
}
