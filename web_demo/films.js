// @ts-check
/**
 * Memory videos: asked for after a conversation, watched while they are made, played, and shared with the family.
 */

import { inOrder } from "./in-order.js";
import { Refused, door } from "./login.js";

/** @typedef {{id: string, session_id: string | null, title: string, status: string, video_url: string | null, thumbnail_url: string | null, seen_at: string | null, created_at: string}} Video */
/** @typedef {{item: HTMLElement, made: HTMLElement, film: HTMLVideoElement, play: HTMLElement, share: HTMLElement}} Drawn */
/** @typedef {import("./words.js").WORDS["ko"]} Words */

const SHOWN = 12;
/** A younger link is good; what fails with it fails for another reason. The server's live for five minutes. */
const LINK_MS = 60_000;

export class Films {
  /** @type {Video[]} */
  #videos = [];
  /** By their ids. @type {Map<string, Drawn>} */
  #drawn = new Map();
  /** The conversation of which a video can be asked for; "": none. */
  #session = "";
  #making = "";
  #stage = "";
  #places;
  #words;
  #complain;
  #begin;

  /**
   * @param {{list: HTMLElement, make: HTMLElement, name: HTMLElement, stop: HTMLElement, progress: HTMLProgressElement, stage: HTMLElement, shared: HTMLElement}} places
   * @param {{words: () => Words, complain: (error: Refused) => void, begin: () => void}} told
   *     `begin`: notices are wanted from now on
   */
  constructor(places, { words, complain, begin }) {
    this.#places = places;
    this.#words = words;
    this.#complain = complain;
    this.#begin = begin;
    places.make.onclick = () => void this.#asked(() => this.#make());
    places.stop.onclick = () => void this.#asked(() => this.#stop());
  }

  /** Ask for them anew. Throws Refused. */
  async load() {
    this.#videos = await door.ask(`/videos/?limit=${SHOWN}`);
    const unfinished = this.#videos.find(({ status }) => status === "pending" || status === "processing");
    if (unfinished !== undefined && unfinished.id !== this.#making) {
      this.#show(await door.ask(`/videos/${unfinished.id}/status`));
    }
    this.#making = unfinished?.id ?? "";
    this.draw();
  }

  /** Nobody is known here. */
  clear() {
    this.#videos = [];
    this.#session = this.#making = this.#places.shared.textContent = "";
    this.draw();
  }

  /** Whether one can be asked for. */
  get offers() {
    return this.#session !== "";
  }

  /** Whether there is one of this conversation, or is going to be. @param {string} session */
  has(session) {
    return this.#videos.some((video) => video.session_id === session && !["failed", "cancelled"].includes(video.status));
  }

  /** A conversation has ended: it can become a film. @param {string} session "" where it cannot */
  offer(session) {
    this.#session = session;
    this.draw();
  }

  /** @param {Record<string, any>} data of a job's notice */
  onJob({ kind, subject_id, stage, progress }) {
    if (kind !== "video" || subject_id !== this.#making) return;
    this.#show({ stage, progress });
  }

  /** @param {Record<string, any>} data of a video's notice */
  async onVideo({ status }) {
    await this.load();
    if (status === "completed") this.#session = "";
    if (status === "failed") this.#complain(new Refused({ code: "video_failed" }));
    this.draw();
  }

  draw() {
    this.#drawMaking();
    const finished = this.#videos.filter((video) => video.status === "completed" && video.video_url !== null);
    // One that is playing plays on: what stands there already stays.
    const drawn = new Map(finished.map((video) => [video.id, this.#drawn.get(video.id) ?? this.#draw(video)]));
    const words = this.#words();
    for (const { id, title, created_at } of finished) {
      const { made, film, play, share } = /** @type {Drawn} */ (drawn.get(id));
      made.textContent = words.madeOn(words.day(created_at));
      film.ariaLabel = words.filmOf(title);
      play.textContent = film.paused ? words.play : words.pause;
      share.textContent = words.share;
    }
    inOrder(this.#places.list, [...drawn.values()].map(({ item }) => item));
    this.#drawn = drawn;
  }

  #drawMaking() {
    const words = this.#words();
    const { make, name, stop, progress, stage } = this.#places;
    make.hidden = name.hidden = this.#session === "" || this.#making !== "";
    progress.hidden = stage.hidden = stop.hidden = this.#making === "";
    const told = words.stages[/** @type {"writing"} */ (this.#stage)] ?? words.making;
    if (stage.textContent !== told) stage.textContent = told; // said again to a screen reader only where it is news
  }

  /** @param {Video} video @returns {Drawn} */
  #draw(video) {
    const [item, title, made, row, play, share] = ["li", "h3", "p", "div", "button", "button"].map((name) =>
      document.createElement(name),
    );
    const film = document.createElement("video");
    title.textContent = video.title;
    Object.assign(film, { controls: true, preload: "none", src: video.video_url, poster: video.thumbnail_url ?? "" });
    film.playsInline = true;
    film.onplay = () => void this.#asked(() => door.ask(`/videos/${video.id}/seen`, {}));
    film.onplaying = film.onpause = () => (play.textContent = film.paused ? this.#words().play : this.#words().pause);
    let since = performance.now();
    film.onerror = () => {
      if (performance.now() - since < LINK_MS) return this.#complain(new Refused({ code: "film_broken" }));
      since = performance.now();
      void this.#asked(() => this.#renew(video, film));
    };
    for (const button of [play, share]) /** @type {HTMLButtonElement} */ (button).type = "button";
    play.className = "primary";
    share.className = "share";
    play.onclick = () => (film.paused ? void start(film) : film.pause());
    share.onclick = () => void this.#asked(() => this.#share(video));
    row.className = "row";
    row.append(play, share);
    item.append(title, made, film, row);
    return { item, made, film, play, share };
  }

  /** Its link was too old: go on with another. @param {Video} video @param {HTMLVideoElement} film */
  async #renew({ id }, film) {
    const at = film.currentTime;
    film.src = (await door.ask(`/videos/${id}`)).video_url;
    film.currentTime = at;
    await start(film);
  }

  async #make() {
    this.#begin();
    await door.ask(`/chat/sessions/${this.#session}/finish`, null, "PATCH");
    const asked = await door.ask("/videos/generate", { session_id: this.#session, video_type: "slideshow" });
    this.#making = asked.video_id;
    this.#show({ stage: "waiting", progress: 0 });
    this.#places.stop.focus(); // where the button was that is gone now
  }

  async #stop() {
    await door.ask(`/videos/${this.#making}/cancel`, {});
    await this.load();
    this.#places.make.focus();
  }

  /** How far it is. @param {{stage: string, progress: number}} told */
  #show({ stage, progress }) {
    this.#stage = stage;
    this.#places.progress.value = progress;
    this.#drawMaking();
  }

  /** The link goes where the device sends links; else it is copied, or shown to be. @param {Video} video */
  async #share(video) {
    const { share_url, title } = await door.ask(`/videos/${video.id}/share`, {});
    const url = new URL(share_url, location.href).href;
    if (navigator.share !== undefined) {
      await navigator.share({ title, url }).catch(() => {}); // they thought better of it
      return;
    }
    const copied = await navigator.clipboard?.writeText(url).then(
      () => true,
      () => false,
    );
    this.#places.shared.textContent = copied ? this.#words().copied(url) : this.#words().shared(url);
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

/** Where it may not, or cannot, it stands still, and one may press again. @param {HTMLVideoElement} film */
async function start(film) {
  await film.play().catch(() => {});
}
