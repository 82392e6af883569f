// @ts-check
/**
 * What is the person's, as the page shows it between two conversations: their photos, their videos, what is remembered.
 *
 * Nobody becomes a guest by looking at the page: it is asked for as soon as somebody is known, or does something.
 */

import { account } from "./account.js";
import { Album } from "./album.js";
import { Refused } from "./asking.js";
import { Films } from "./films.js";
import { forgetTalk } from "./kept-talk.js";
import { door, isKnown } from "./login.js";
import { Memories } from "./memories.js";
import { Mine } from "./mine.js";
import { Notices } from "./notices.js";

/** @typedef {import("./words.js").WORDS["ko"]} Words */

/** The last one about a photo is sought among these. */
const LAST_TALKS = 10;

/** @param {string} id @returns {HTMLElement} */
const by = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class Things {
  #album;
  #films;
  #memories;
  #mine;
  #parts;
  #words;
  #complain;
  #well;
  #loading = Promise.resolve();
  /** @type {Notices | null} */
  #notices = null;

  /**
   * @param {object} told
   * @param {() => Words} told.words
   * @param {(photo: import("./album.js").Photo) => void} told.choose
   * @param {(error: Refused) => void} told.complain
   * @param {() => void} told.well the server can be reached
   */
  constructor({ words, choose, complain, well }) {
    this.#words = words;
    this.#complain = complain;
    this.#well = well;
    const begin = () => {
      this.#listen();
      this.#mine.begin();
    };
    this.#album = new Album(
      {
        list: by("photos"),
        input: /** @type {HTMLInputElement} */ (by("files")),
        button: by("add-photos"),
        more: by("more-photos"),
        progress: by("uploading"),
        report: by("uploaded"),
      },
      { words, choose, complain, begin },
    );
    this.#films = new Films(
      {
        list: by("films"),
        make: by("make-film"),
        name: by("film-name"),
        stop: by("stop-film"),
        progress: /** @type {HTMLProgressElement} */ (by("film-progress")),
        stage: by("film-stage"),
        shared: by("shared"),
      },
      { words, complain, begin },
    );
    this.#memories = new Memories({ list: by("facts"), agree: by("remember"), state: by("remembering") }, { words, complain });
    this.#mine = new Mine(by("mine"), {
      words,
      complain,
      changed: () => void this.load(),
      gone: () => this.#sayGone(),
    });
    this.#parts = [this.#album, this.#films, this.#memories, this.#mine];
  }

  /** Show what there is, where somebody is known. Never throws. One after the other: the last one counts. */
  load() {
    this.#loading = this.#loading.then(() => this.#load());
    return this.#loading;
  }

  async #load() {
    if (!account.loggedIn && !isKnown()) return this.#clear();
    this.#listen();
    by("gone").textContent = "";
    await this.#asked(async () => {
      for (const part of this.#parts) await part.load();
      await this.#offerLast();
      this.#well();
    });
  }

  /** A film of the last conversation about a photo can be asked for until there is one, whatever ended it. */
  async #offerLast() {
    if (this.#films.offers) return;
    /** @type {{id: string, main_photo_id: string | null, turn_count: number}[]} */
    const talks = await door.ask(`/chat/sessions?limit=${LAST_TALKS}`);
    const last = talks.find(({ main_photo_id, turn_count }) => main_photo_id !== null && turn_count > 0);
    if (last !== undefined && !this.#films.has(last.id)) this.#films.offer(last.id);
  }

  /** Somebody else is here now: nothing stays of who was here, nor what they said. */
  change() {
    this.#notices?.stop();
    this.#notices = null;
    this.#clear();
    by("turns").replaceChildren();
    by("story").classList.remove("told");
    void this.load();
  }

  /** Their account is deleted, and the section with the button is hidden: this is the last that they are told. */
  #sayGone() {
    forgetTalk();
    this.change();
    by("notice").hidden = true; // what it offers is gone, too
    by("gone").textContent = this.#words().left;
    by("gone").focus();
  }

  #clear() {
    this.#parts.forEach((part) => part.clear());
  }

  /** In the language of now. */
  draw() {
    this.#parts.forEach((part) => part.draw());
    if (by("gone").textContent !== "") by("gone").textContent = this.#words().left;
  }

  /** A conversation has ended. @param {string} session "" where there is nothing to make a film of */
  ended(session) {
    this.#films.offer(session);
    void this.load();
  }

  /** Be told what happens, from now on. */
  #listen() {
    if (this.#notices !== null) return;
    this.#notices = new Notices(
      (kind, data) => void this.#asked(() => this.#take(kind, data)),
      () => void this.load(),
    );
    void this.#notices.listen();
  }

  /** @param {string} kind @param {Record<string, any>} data */
  async #take(kind, data) {
    if (kind === "photo") await this.#album.onPhoto(data);
    else if (kind === "memory") await this.#memories.load();
    else if (kind === "video") await this.#films.onVideo(data);
    else if (kind === "job") {
      this.#films.onJob(data);
      await this.#mine.onJob(data);
    }
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
