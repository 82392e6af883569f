// @ts-check
/**
 * What is the person's to look through, take along and take away: a quiet section below everything else, closed until
 * somebody opens it. Each of its drawers asks the server when it is opened.
 */

import { MyFilms, MyPhotos } from "./belongings.js";
import { MyConsents } from "./consents.js";
import { Leaving, MyExport } from "./leaving.js";
import { Refused, door } from "./login.js";
import { OldTalks } from "./old-talks.js";

/** @typedef {import("./words.js").WORDS["ko"]} Words */
/**
 * What a drawer is told. `asked`: do this, and complain where it is refused. `say`: a line at the drawer's end.
 * `changed`: something is not there any more, or there now. `gone`: so is the person.
 * @typedef {{words: () => Words, asked: (doing: () => Promise<void>) => Promise<void>, say: (said: string) => void, changed: () => void, gone: () => void}} Told
 */
/** @typedef {{details: HTMLDetailsElement, inside: {load: () => Promise<void>}, say: (said: string) => void}} Drawer */

export class Mine {
  #section;
  #open;
  #field;
  #said;
  #told;
  /** @type {MyExport} */
  #export;
  /** @type {Drawer[]} */
  #drawers;

  /**
   * @param {HTMLElement} section
   * @param {object} told
   * @param {() => Words} told.words
   * @param {(error: Refused) => void} told.complain
   * @param {() => void} told.changed
   * @param {() => void} told.gone
   */
  constructor(section, told) {
    this.#section = section;
    this.#told = told;
    this.#open = /** @type {HTMLDetailsElement} */ (section.querySelector("details"));
    this.#field = /** @type {HTMLInputElement} */ (section.querySelector("input"));
    this.#said = /** @type {HTMLElement} */ (section.querySelector("form [role=status]"));
    this.#drawers = [
      this.#drawer("films", MyFilms),
      this.#drawer("photos", MyPhotos),
      this.#drawer("consents", MyConsents),
      this.#drawer("talks", OldTalks),
      this.#drawer("export", MyExport),
      this.#drawer("leave", Leaving),
    ];
    this.#export = /** @type {MyExport} */ (this.#drawers[4].inside);
    this.#open.addEventListener("toggle", () => this.#open.open && void this.#asked(() => this.#look()));
    /** @type {HTMLFormElement} */ (this.#field.form).onsubmit = (submitted) => {
      submitted.preventDefault();
      void this.#asked(() => this.#save());
    };
  }

  /** Somebody is here, or will be as soon as the server answers. */
  begin() {
    this.#section.hidden = false;
  }

  /** Ask anew for what is open, but not for what somebody is in the middle of. Throws Refused. */
  async load() {
    this.begin();
    if (!this.#open.open) return;
    if (document.activeElement !== this.#field) await this.#look();
    for (const { details, inside } of this.#drawers) {
      if (details.open && !details.contains(document.activeElement)) await inside.load();
    }
  }

  /** Nobody is known here. */
  clear() {
    this.#section.hidden = true;
    this.#open.open = false;
    this.#field.value = this.#said.textContent = "";
    for (const { details, say } of this.#drawers) {
      details.open = false;
      details.querySelector("div")?.replaceChildren();
      say("");
    }
  }

  draw() {
    this.#said.textContent = this.#told.words().callMeHint;
    for (const { details, inside, say } of this.#drawers) {
      say("");
      if (details.open) void this.#asked(() => inside.load());
    }
  }

  /** A notice of a job. Throws Refused. @param {Record<string, any>} data */
  async onJob(data) {
    if (data.kind === "export" && this.#drawers[4].details.open) await this.#export.onJob(data);
  }

  /**
   * @param {string} name
   * @param {new (place: HTMLElement, told: Told) => {load: () => Promise<void>}} Inside
   * @returns {Drawer}
   */
  #drawer(name, Inside) {
    const details = /** @type {HTMLDetailsElement} */ (this.#section.querySelector(`[data-drawer=${name}]`));
    const place = /** @type {HTMLElement} */ (details.querySelector("div"));
    const said = /** @type {HTMLElement} */ (details.querySelector("[role=status]"));
    const say = (/** @type {string} */ words) => void (said.textContent = words);
    const { words, changed, gone } = this.#told;
    const inside = new Inside(place, { words, changed, gone, say, asked: (doing) => this.#asked(doing) });
    details.addEventListener("toggle", () => {
      say("");
      if (details.open) void this.#asked(() => inside.load());
    });
    return { details, inside, say };
  }

  async #look() {
    this.#field.value = (await door.ask("/users/me")).form_of_address;
    this.#said.textContent = this.#told.words().callMeHint;
  }

  async #save() {
    const asked = { form_of_address: this.#field.value.trim() };
    this.#field.value = (await door.ask("/users/me", asked, "PATCH")).form_of_address;
    this.#said.textContent = this.#told.words().saved;
  }

  /** @param {() => Promise<void>} doing */
  async #asked(doing) {
    try {
      await doing();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#told.complain(error);
    }
  }
}
