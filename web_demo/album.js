// @ts-check
/**
 * The person's photos: looked at, added to, and chosen to talk about.
 */

import { Refused, door } from "./login.js";
import { upload } from "./upload.js";
import { troubleWords } from "./words.js";

const KNOWN = 60;
/** So many are shown until more are asked for. */
const FIRST = 12;

/** @typedef {{id: string, status: string, thumbnail_url: string | null, s3_url: string | null, location_name: string, taken_at: string | null, created_at: string, refusal: string | null}} Photo */
/** @typedef {import("./words.js").WORDS["ko"]} Words */

export class Album {
  /** @type {Map<string, Photo>} */
  #photos = new Map();
  /** What stands on the page of each. @type {WeakMap<Photo, {item: HTMLElement, picture: HTMLImageElement, said: HTMLElement}>} */
  #drawn = new WeakMap();
  #all = false;
  /** Of the last time that photos were added: what went, by its id, and what did not, and why. */
  #sent = /** @type {Map<string, string>} */ (new Map());
  #failed = /** @type {{name: string, error: Refused}[]} */ ([]);
  #adding = Promise.resolve();
  #places;
  #words;
  #choose;
  #complain;
  #begin;

  /**
   * @param {{list: HTMLElement, input: HTMLInputElement, button: HTMLElement, more: HTMLElement, progress: HTMLElement, report: HTMLElement}} places
   * @param {{words: () => Words, choose: (photo: Photo) => void, complain: (error: Refused) => void, begin: () => void}} told
   *     `begin`: notices are wanted from now on
   */
  constructor(places, { words, choose, complain, begin }) {
    this.#places = places;
    this.#words = words;
    this.#choose = choose;
    this.#complain = complain;
    this.#begin = begin;
    places.button.onclick = () => places.input.click();
    places.more.onclick = () => this.#showAll();
    places.input.onchange = () => {
      const files = [...(places.input.files ?? [])];
      const add = () => this.#add(files);
      this.#adding = this.#adding.then(add, add); // more of them while some are on their way come after these
    };
  }

  /** Ask for the photos anew. Throws Refused. */
  async load() {
    /** @type {{items: Photo[]}} */
    const { items } = await door.ask(`/photos/?limit=${KNOWN}`);
    this.#photos = new Map(items.map((photo) => [photo.id, photo]));
    this.draw();
  }

  /** A notice of one of them. @param {Record<string, any>} data */
  async onPhoto({ photo_id, status, refusal }) {
    if (status === "refused") this.#onRefused(photo_id, new Refused({ code: refusal }));
    if (status !== "ready") return;
    const photo = await door.ask(`/photos/${photo_id}`);
    this.#photos.set(photo_id, photo);
    this.draw();
  }

  /** @param {string} id @param {Refused} error */
  #onRefused(id, error) {
    const name = this.#sent.get(id);
    if (name !== undefined && this.#sent.delete(id)) this.#failed.push({ name, error });
    this.#report();
    this.#complain(error);
  }

  /** Nobody is known here. */
  clear() {
    this.#photos.clear();
    this.#sent.clear();
    this.#failed = [];
    this.#all = false;
    this.draw();
  }

  draw() {
    const words = this.#words();
    const ready = [...this.#photos.values()].filter((photo) => photo.status === "ready" && photo.thumbnail_url);
    ready.sort((one, other) => when(other) - when(one));
    const shown = this.#all ? ready : ready.slice(0, FIRST);
    this.#places.more.hidden = shown.length === ready.length;
    for (const photo of shown) {
      const { picture, said } = this.#made(photo);
      said.textContent = caption(photo, words);
      picture.alt = words.talkAbout(said.textContent);
    }
    this.#places.list.replaceChildren(...shown.map((photo) => this.#made(photo).item));
    this.#report();
  }

  /** How many went of those that were added, and which did not, and why. One alone is complained of instead. */
  #report() {
    if (this.#places.progress.textContent !== "") return; // not before the last one
    const words = this.#words();
    /** @type {Map<string, string[]>} */
    const names = new Map();
    for (const { name, error } of this.#failed) {
      const why = troubleWords(words.language, error);
      names.set(why, [...(names.get(why) ?? []), name]);
    }
    const lines = [];
    if (this.#sent.size > 0) lines.push(words.uploaded(this.#sent.size));
    if (this.#sent.size + this.#failed.length > 1) {
      for (const [why, those] of names) lines.push(words.notUploaded(those.length, those.join(", "), why));
    }
    const { report } = this.#places;
    if (report.textContent === lines.join("")) return; // said again to a screen reader only where it is news
    report.replaceChildren(
      ...lines.map((line) => {
        const said = document.createElement("p");
        said.textContent = line;
        return said;
      }),
    );
  }

  /** @param {Photo} photo */
  #made(photo) {
    const there = this.#drawn.get(photo);
    if (there !== undefined) return there;
    const [item, button, said] = ["li", "button", "span"].map((name) => document.createElement(name));
    const picture = document.createElement("img");
    /** @type {HTMLButtonElement} */ (button).type = "button";
    Object.assign(picture, { src: photo.thumbnail_url, decoding: "async" });
    said.ariaHidden = "true"; // the picture's own words say it too
    button.onclick = () => this.#choose(photo);
    button.append(picture, said);
    item.append(button);
    const made = { item, picture, said };
    this.#drawn.set(photo, made);
    return made;
  }

  #showAll() {
    this.#all = true;
    this.draw();
    this.#places.list.querySelectorAll("button")[FIRST]?.focus();
  }

  /** Each for itself: one that is refused keeps no other back. @param {File[]} files */
  async #add(files) {
    this.#places.input.value = "";
    this.#sent.clear();
    this.#failed = [];
    this.#report();
    this.#begin();
    for (const [at, file] of files.entries()) {
      this.#places.progress.textContent = this.#words().uploading(at + 1, files.length);
      try {
        this.#sent.set(await upload(file), file.name);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.#failed.push({ name: file.name, error });
        if (error.code !== "unreachable") continue;
        this.#failed.push(...files.slice(at + 1).map(({ name }) => ({ name, error }))); // nor would any of these
        break;
      }
    }
    this.#places.progress.textContent = "";
    this.#report();
    const [first] = this.#failed;
    if (first === undefined) return;
    if (files.length === 1 || first.error.code === "unreachable") this.#complain(first.error);
    else this.#places.report.scrollIntoView({ block: "nearest" });
  }
}

/** Where and when, as far as known. @param {Photo} photo @param {Words} words */
export function caption({ location_name, taken_at }, words) {
  const taken = taken_at === null ? "" : words.year(new Date(taken_at).getFullYear());
  return [taken, location_name].filter((part) => part !== "").join(" ");
}

/** @param {Photo} photo */
function when({ taken_at, created_at }) {
  return Date.parse(taken_at ?? created_at);
}
