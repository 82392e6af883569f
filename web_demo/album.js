// @ts-check
/**
 * The person's photos: looked at, added to, and chosen to talk about.
 */

import { Refused, door } from "./login.js";

const TYPES = ["image/jpeg", "image/png", "image/webp", "image/heic"];
const AT_ONCE = 20;
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
  #places;
  #words;
  #choose;
  #complain;
  #begin;

  /**
   * @param {{list: HTMLElement, input: HTMLInputElement, button: HTMLElement, more: HTMLElement, progress: HTMLElement}} places
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
    places.input.onchange = () => void this.#add([...(places.input.files ?? [])]);
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
    if (status === "refused") this.#complain(new Refused({ code: refusal }));
    if (status !== "ready") return;
    const photo = await door.ask(`/photos/${photo_id}`);
    this.#photos.set(photo_id, photo);
    this.draw();
  }

  /** Nobody is known here. */
  clear() {
    this.#photos.clear();
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

  /** @param {File[]} files */
  async #add(files) {
    const taken = files.filter((file) => TYPES.includes(file.type)).slice(0, AT_ONCE);
    this.#places.input.value = "";
    this.#begin();
    try {
      for (const [at, file] of taken.entries()) {
        this.#places.progress.textContent = this.#words().uploading(at + 1, taken.length);
        await upload(file);
      }
      if (taken.length < files.length) throw new Refused({ code: "not_a_picture" });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#complain(error);
    } finally {
      this.#places.progress.textContent = "";
    }
  }
}

/** Straight into the media store, by a form that allows just this. @param {File} file */
async function upload(file) {
  const known = { filename: file.name.slice(-120), content_type: file.type, size: file.size };
  const form = await door.ask("/photos/presign", known);
  const sent = new FormData();
  for (const [name, value] of Object.entries(form.fields)) sent.append(name, /** @type {string} */ (value));
  sent.append("file", file);
  let answer;
  try {
    answer = await fetch(form.url, { method: "POST", body: sent });
  } catch {
    throw new Refused({ code: "unreachable", retryable: true });
  }
  if (!answer.ok) throw new Refused({ code: "media_refused" });
  await door.ask(`/photos/${form.photo_id}/complete`, {});
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
