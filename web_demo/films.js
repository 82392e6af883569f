// @ts-check
/**
 * Memory videos: asked for after a conversation, watched while they are made, played, and shared with the family.
 */

import { Refused, door } from "./login.js";

/** @typedef {{id: string, title: string, status: string, video_url: string | null, thumbnail_url: string | null, seen_at: string | null}} Video */
/** @typedef {import("./words.js").WORDS["ko"]} Words */

const SHOWN = 12;

export class Films {
  /** @type {Video[]} */
  #videos = [];
  /** The conversation of which a video can be asked for; "": none. */
  #session = "";
  #making = "";
  #places;
  #words;
  #complain;
  #begin;

  /**
   * @param {{list: HTMLElement, make: HTMLElement, progress: HTMLProgressElement, stage: HTMLElement, shared: HTMLElement}} places
   * @param {{words: () => Words, complain: (error: Refused) => void, begin: () => void}} told
   *     `begin`: notices are wanted from now on
   */
  constructor(places, { words, complain, begin }) {
    this.#places = places;
    this.#words = words;
    this.#complain = complain;
    this.#begin = begin;
    places.make.onclick = () => void this.#asked(() => this.#make());
  }

  /** Ask for them anew. Throws Refused. */
  async load() {
    this.#videos = await door.ask(`/videos/?limit=${SHOWN}`);
    const unfinished = this.#videos.find(({ status }) => status === "pending" || status === "processing");
    this.#making = unfinished?.id ?? "";
    this.draw();
  }

  /** A conversation has ended: it can become a film. @param {string} session "" where nothing was said in it */
  offer(session) {
    this.#session = session;
    this.draw();
  }

  /** @param {Record<string, any>} data of a job's notice */
  onJob({ kind, subject_id, stage, progress }) {
    if (kind !== "video" || subject_id !== this.#making) return;
    this.#places.progress.value = progress;
    this.#places.stage.textContent = this.#words().stages[/** @type {"writing"} */ (stage)] ?? this.#words().making;
  }

  /** @param {Record<string, any>} data of a video's notice */
  async onVideo({ status }) {
    await this.load();
    if (status === "failed") this.#complain(new Refused({ code: "video_failed" }));
  }

  draw() {
    const words = this.#words();
    const { list, make, progress, stage } = this.#places;
    make.hidden = this.#session === "" || this.#making !== "";
    progress.hidden = stage.hidden = this.#making === "";
    if (this.#making !== "" && stage.textContent === "") stage.textContent = words.making;
    const finished = this.#videos.filter((video) => video.status === "completed" && video.video_url !== null);
    list.replaceChildren(...finished.map((video) => this.#drawn(video, words)));
  }

  /** @param {Video} video @param {Words} words */
  #drawn(video, words) {
    const [item, title, film, share] = ["li", "h3", "video", "button"].map((name) => document.createElement(name));
    title.textContent = video.title;
    Object.assign(film, { controls: true, preload: "none", src: video.video_url, poster: video.thumbnail_url ?? "" });
    film.ariaLabel = words.filmOf(video.title);
    film.onplay = () => void this.#asked(() => door.ask(`/videos/${video.id}/seen`, {}));
    /** @type {HTMLButtonElement} */ (share).type = "button";
    share.textContent = words.share;
    share.onclick = () => void this.#asked(() => this.#share(video));
    item.append(title, film, share);
    return item;
  }

  async #make() {
    this.#begin();
    await door.ask(`/chat/sessions/${this.#session}/finish`, null, "PATCH");
    const asked = await door.ask("/videos/generate", { session_id: this.#session, video_type: "slideshow" });
    this.#session = "";
    this.#making = asked.video_id;
    this.#places.progress.value = 0;
    this.#places.stage.textContent = this.#words().making;
    this.draw();
  }

  /** The link goes where the device sends links; else it can be copied. @param {Video} video */
  async #share(video) {
    const { share_url, title } = await door.ask(`/videos/${video.id}/share`, {});
    const url = new URL(share_url, location.href).href;
    if (navigator.share !== undefined) {
      await navigator.share({ title, url }).catch(() => {}); // they thought better of it
      return;
    }
    this.#places.shared.textContent = this.#words().shared(url);
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
