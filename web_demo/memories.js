// @ts-check
/**
 * What 복실이 remembers of what was told, where the person agreed to that; each can be forgotten.
 */

import { inOrder } from "./in-order.js";
import { Refused, door } from "./login.js";
import { twice } from "./twice.js";

const SHOWN = 50;

/** @typedef {{id: string, fact: string}} Memory */
/** @typedef {import("./words.js").WORDS["ko"]} Words */

export class Memories {
  /** @type {Memory[]} */
  #known = [];
  #agreed = false;
  /** By their ids; one that is asked about goes on being asked about. @type {Map<string, HTMLElement>} */
  #drawn = new Map();
  /** In which they are drawn. @type {Words | null} */
  #drawnIn = null;
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
    const kept = words === this.#drawnIn ? this.#drawn : new Map();
    const items = this.#known.map((memory) => kept.get(key(memory)) ?? this.#draw(memory, words));
    this.#drawn = new Map(this.#known.map((memory, at) => [key(memory), items[at]]));
    this.#drawnIn = words;
    inOrder(list, items);
  }

  /** @param {Memory} memory @param {Words} words */
  #draw(memory, words) {
    const item = document.createElement("li");
    const fact = document.createElement("span");
    fact.textContent = memory.fact;
    const forget = twice({
      label: words.forget,
      name: words.forgetThis(memory.fact),
      question: words.reallyForget,
      words,
      sure: () => this.#asked(() => this.#forget(memory.id)),
    });
    item.append(fact, forget);
    return item;
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

  /** @param {string} id */
  async #forget(id) {
    await door.ask(`/memories/${id}`, null, "DELETE");
    this.#known = this.#known.filter((one) => one.id !== id);
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

/** One that was corrected is drawn anew. @param {Memory} memory */
function key({ id, fact }) {
  return `${id} ${fact}`;
}
