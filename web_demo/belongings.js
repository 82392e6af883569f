// @ts-check
/**
 * The person's photos and films to delete, and the links to films to take back.
 */

import { caption } from "./album.js";
import { door } from "./login.js";
import { piece } from "./piece.js";
import { twice } from "./twice.js";

const SHOWN = 100;

/** @typedef {import("./mine.js").Told} Told */
/** @typedef {import("./album.js").Photo} Photo */
/** @typedef {{id: string, title: string, status: string, created_at: string}} Video */
/** @typedef {{share_id: string, created_at: string, expires_at: string}} Link */

export class MyPhotos {
  #place;
  #told;

  /** @param {HTMLElement} place @param {Told} told */
  constructor(place, told) {
    this.#place = place;
    this.#told = told;
  }

  /** Throws Refused. */
  async load() {
    /** @type {{items: Photo[]}} */
    const { items } = await door.ask(`/photos/?limit=${SHOWN}`);
    const words = this.#told.words();
    const photos = items.filter((photo) => photo.thumbnail_url !== null);
    const list = piece("ul", photos.map((photo, at) => this.#draw(photo, at)), "removable");
    this.#place.replaceChildren(photos.length > 0 ? list : piece("p", words.noPhotos));
  }

  /** @param {Photo} photo @param {number} at */
  #draw(photo, at) {
    const words = this.#told.words();
    const what = caption(photo, words) || words.photoFrom(words.day(photo.created_at));
    const picture = piece("img");
    Object.assign(picture, { src: photo.thumbnail_url, alt: "", loading: "lazy", decoding: "async" });
    const remove = twice({
      label: words.remove,
      name: words.removeThis(what),
      question: words.reallyRemove,
      words,
      sure: () => this.#told.asked(() => this.#remove(photo, at)),
    });
    return piece("li", [picture, piece("span", what, "what"), remove]);
  }

  /** @param {Photo} photo @param {number} at */
  async #remove({ id }, at) {
    await door.ask(`/photos/${id}`, null, "DELETE");
    await this.load();
    this.#told.say(this.#told.words().photoRemoved);
    goOn(this.#place, at);
    this.#told.changed();
  }
}

export class MyFilms {
  #place;
  #told;

  /** @param {HTMLElement} place @param {Told} told */
  constructor(place, told) {
    this.#place = place;
    this.#told = told;
  }

  /** Throws Refused. */
  async load() {
    /** @type {Video[]} */
    const all = await door.ask(`/videos/?limit=${SHOWN}`);
    const videos = all.filter(({ status }) => status === "completed" || status === "failed");
    const links = await Promise.all(
      videos.map(({ id, status }) => (status === "completed" ? door.ask(`/videos/${id}/shares`) : [])),
    );
    const items = videos.map((video, at) => this.#draw(video, links[at], at));
    this.#place.replaceChildren(
      items.length > 0 ? piece("ul", items, "removable") : piece("p", this.#told.words().noFilms),
    );
  }

  /** @param {Video} video @param {Link[]} links @param {number} at */
  #draw(video, links, at) {
    const words = this.#told.words();
    const title = video.status === "completed" ? video.title : words.unfinishedFilm;
    const what = `${title}, ${words.day(video.created_at)}`;
    const remove = twice({
      label: words.removeFilm,
      name: words.removeThis(what),
      question: words.reallyRemove,
      words,
      sure: () => this.#told.asked(() => this.#undo(`/videos/${video.id}`, words.filmRemoved, at)),
    });
    const shared = links.map((link) => this.#link(video, link, at));
    if (links.length > 1) shared.push(piece("li", [this.#takeBack(video, "", words.takeBackAll, what, at)]));
    const told = links.length > 0 ? piece("ul", shared, "links") : piece("p", words.notShared);
    const film = piece("span", [piece("b", title), piece("span", words.madeOn(words.day(video.created_at)))], "what");
    return video.status === "completed" ? piece("li", [film, remove, told]) : piece("li", [film, remove]);
  }

  /** @param {Video} video @param {Link} link @param {number} at */
  #link(video, { share_id, created_at, expires_at }, at) {
    const words = this.#told.words();
    const what = words.link(words.moment(created_at), words.day(expires_at));
    return piece("li", [
      piece("span", what, "what"),
      this.#takeBack(video, `/${share_id}`, words.takeBack, what, at),
    ]);
  }

  /** @param {Video} video @param {string} which "" for all @param {string} label @param {string} what @param {number} at */
  #takeBack({ id }, which, label, what, at) {
    const words = this.#told.words();
    return twice({
      label,
      name: words.takeBackThis(what),
      question: words.reallyTakeBack,
      words,
      sure: () => this.#told.asked(() => this.#undo(`/videos/${id}/shares${which}`, words.takenBack, at)),
    });
  }

  /** @param {string} path @param {string} said @param {number} at */
  async #undo(path, said, at) {
    await door.ask(path, null, "DELETE");
    await this.load();
    this.#told.say(said);
    goOn(this.#place, at);
    this.#told.changed();
  }
}

/** The button that one pressed is gone: be at what has taken its place, else at the drawer's own handle. */
function goOn(/** @type {HTMLElement} */ place, /** @type {number} */ at) {
  const next = place.querySelectorAll(".removable > li")[at]?.querySelector("button");
  (next ?? /** @type {HTMLElement | null} */ (place.parentElement?.querySelector("summary")))?.focus();
}
