// @ts-check
/**
 * Taking everything along, and having everything deleted.
 */

import { door, leave } from "./login.js";
import { button, piece } from "./piece.js";

/** @typedef {import("./mine.js").Told} Told */
/** @typedef {{state: "none" | "preparing" | "ready" | "failed" | "expired", progress: number, expires_at: string | null, url: string | null}} Export */

export class MyExport {
  #place;
  #told;

  /** @param {HTMLElement} place @param {Told} told */
  constructor(place, told) {
    this.#place = place;
    this.#told = told;
  }

  /** Throws Refused. */
  async load() {
    this.#draw(await door.ask("/users/me/export"));
  }

  /** A notice of the job that makes it. Throws Refused. @param {Record<string, any>} data */
  async onJob({ status, progress }) {
    if (status === "done" || status === "failed") await this.load();
    else this.#told.say(this.#told.words().exportMaking(Math.round(100 * progress)));
  }

  /** @param {Export} told */
  #draw({ state, progress, expires_at }) {
    const words = this.#told.words();
    const said = {
      none: "",
      preparing: words.exportMaking(Math.round(100 * progress)),
      ready: words.exportReady(words.day(expires_at ?? "")),
      failed: words.exportFailed,
      expired: words.exportOver,
    };
    const make = () => void this.#told.asked(() => this.#make());
    const fetched = () => void this.#told.asked(() => this.#fetch());
    const next = state === "ready" ? button(words.exportFetch, fetched) : button(words.exportMake, make);
    this.#told.say(said[state]);
    this.#place.replaceChildren(piece("p", words.exportHint), ...(state === "preparing" ? [] : [next]));
  }

  async #make() {
    this.#draw(await door.ask("/users/me/export", {}));
    /** @type {HTMLElement | null | undefined} */ (this.#place.parentElement?.querySelector("summary"))?.focus();
  }

  /** Its link is good for some minutes: this one is new. */
  async #fetch() {
    const { url } = await door.ask("/users/me/export");
    if (url === null) return await this.load();
    const link = piece("a");
    Object.assign(link, { href: url, download: "" });
    link.click();
  }
}

export class Leaving {
  #place;
  #told;

  /** @param {HTMLElement} place @param {Told} told */
  constructor(place, told) {
    this.#place = place;
    this.#told = told;
  }

  /** In words of their own: this cannot be pressed by mistake. */
  async load() {
    const words = this.#told.words();
    const [form, label, field] = [piece("form"), piece("label", words.leaveAsk), piece("input")];
    const go = piece("button", words.leaveDo);
    Object.assign(field, { type: "text", id: "leave-word", autocomplete: "off", maxLength: 40 });
    label.htmlFor = field.id;
    form.append(label, piece("div", [field, go], "typing-line"));
    form.onsubmit = (submitted) => {
      submitted.preventDefault();
      if (plain(field.value) === plain(words.leaveWord)) return void this.#told.asked(() => this.#leave());
      this.#told.say(words.leaveNotYet);
      field.focus();
    };
    this.#place.replaceChildren(piece("p", words.leaveHint), form);
  }

  async #leave() {
    await door.ask("/users/me", null, "DELETE");
    leave();
    this.#told.gone();
  }
}

/** Spaces, quotation marks and capitals are nobody's business here. @param {string} words */
function plain(words) {
  return words.normalize("NFC").replaceAll(/[\s‘’“”'".]/g, "").toLowerCase();
}
