// @ts-check
/**
 * One conversation: the microphone, the connection, the loudspeaker and the captions, and what passes between them.
 */

import { Captions } from "./captions.js";
import { Connection } from "./connection.js";
import { Microphone } from "./microphone.js";
import { Player } from "./player.js";
import { MICROPHONE_RATE, MicrophoneMemory } from "./resume.js";

/**
 * @typedef {import("./protocol.js").ServerEvent} ServerEvent
 * @typedef {import("./connection.js").Trouble} Trouble
 * @typedef {"waking" | "open" | "user" | "paused" | "thinking" | "speaking" | "lost"} Floor
 * @typedef {object} View what the page shows
 * @property {(floor: Floor) => void} showFloor also while the connection is away
 * @property {(trouble: Trouble) => void} showTrouble something the person should know; it goes on all the same
 * @property {() => void} showBack the connection is back
 * @property {(anew: boolean) => void} showResumed after it was lost; `anew`: as a new session
 * @property {() => void} showWell what was wrong is over
 * @property {(level: number) => void} showLevel of the microphone, 0 to 1
 * @property {(level: number) => void} showVoice of the reply, 0 to 1
 * @property {(text: string) => void} giveBack what was typed did not arrive, as far as one can tell
 * @property {(text: string) => void} keep it did arrive
 * @property {(why: Trouble | null) => void} showEnd
 */

export class Conversation {
  #context;
  #view;
  #captions;
  #memory = new MicrophoneMemory();
  #connection;
  #player;
  /** @type {Microphone | null} */
  #microphone = null;
  /** @type {Floor} */
  #floor = "waking";
  #session = "";
  /** What was typed, and when, until the server says that it is a turn. @type {{text: string, at: number}[]} */
  #typed = [];
  /** The connection was lost; until the floor is told again nobody knows whether what was typed arrived. */
  #doubtful = false;

  /**
   * @param {AudioContext} context with the worklets loaded
   * @param {{list: HTMLElement, end: HTMLElement, announcer: HTMLElement}} places
   * @param {{language: "ko" | "en", words: import("./words.js").WORDS["ko"], view: View}} options
   */
  constructor(context, places, { language, words, view }) {
    this.#context = context;
    this.#view = view;
    this.#captions = new Captions(places, language, words);
    this.#player = new Player(context, {
      onPlayback: (turn, samples) => this.#connection.say({ type: "playback", turn, samples }),
      onFlushed: (turn, samples) => this.#connection.say({ type: "flushed", turn, samples }),
      onStarted: (turn) => this.#started(turn),
      onLevel: view.showVoice,
    });
    this.#connection = new Connection(language, this.#memory, {
      onState: (state, trouble) => this.#moved(state, trouble),
      onEvent: (event) => this.#take(event),
      onAudio: (audio) => this.#player.add(audio),
      playhead: () => this.#player.playhead,
    });
  }

  /** Open the microphone. Throws MicrophoneError, and then one may still talk by typing. */
  async listen() {
    this.#microphone = await Microphone.open(this.#context, {
      onFrame: (frame) => {
        this.#memory.append(frame);
        this.#connection.pump();
      },
      onLevel: this.#view.showLevel,
      onGone: () => this.#view.showTrouble({ code: "microphone_gone", messageKo: "", messageEn: "" }),
    });
  }

  start() {
    this.#view.showFloor("waking");
    this.#connection.start();
  }

  /** Whether the person's voice is heard here; otherwise they type. */
  get listening() {
    return this.#microphone !== null;
  }

  get mayCommit() {
    return this.#connection.open && (this.#floor === "user" || this.#floor === "paused");
  }

  get mayCancel() {
    return this.#connection.open && (this.#floor === "thinking" || this.#floor === "speaking");
  }

  get mayType() {
    return this.#connection.open && (this.#floor === "open" || this.#floor === "speaking");
  }

  commit() {
    if (this.mayCommit) this.#connection.say({ type: "commit" });
  }

  cancel() {
    if (this.mayCancel) this.#connection.say({ type: "cancel" });
  }

  /** Say something in writing; false if it cannot be taken now. @param {string} text not blank */
  type(text) {
    if (!this.mayType || !this.#connection.say({ type: "text", text })) return false;
    this.#typed = [...this.#typed.filter((earlier) => earlier.text !== text), { text, at: performance.now() }];
    return true;
  }

  /** The conversation is over. */
  leave() {
    this.#connection.leave();
  }

  // --- what the connection says ------------------------------------------------------------------------------------

  /** @param {import("./connection.js").State} state @param {Trouble | null} trouble */
  #moved(state, trouble) {
    if (state === "ended") {
      this.#microphone?.close();
      this.#player.close();
      void this.#context.close();
      this.#view.showEnd(trouble);
    } else if (state === "talking") this.#view.showBack();
    else {
      this.#doubtful = state === "lost";
      this.#setFloor(state === "lost" ? "lost" : "waking");
      if (trouble !== null) this.#view.showTrouble(state === "lost" ? lost(trouble) : trouble);
    }
  }

  /** @param {ServerEvent} event */
  #take(event) {
    switch (event.type) {
      case "ready":
        return this.#begin(event);
      case "floor":
        return this.#moveFloor(event.state);
      case "transcript.partial":
        this.#captions.turn(event.turn).showPartial(event.stable, event.tentative);
        return this.#captions.follow();
      case "transcript.final":
        return this.#showFinal(event);
      case "turn.ended":
        return this.#showEnd(event);
      case "reply.text":
        return this.#showReply(event);
      case "reply.audio":
        return this.#captions.known(event.turn)?.timeline.mark("audio", performance.now());
      case "reply.done":
        return this.#finishReply(event);
      case "flush":
        return this.#player.flush(event.turn);
      case "turn.committed":
        return this.#captions.known(event.turn)?.showHeard(event.heard);
      case "error":
        return this.#showError(event);
    }
  }

  /** @param {ServerEvent} ready */
  #begin(ready) {
    const first = this.#session === "";
    this.#session = ready.session;
    if (!ready.resumed) {
      this.#player.begin(ready.output_rate);
      this.#captions.forgetNumbers();
      this.#setFloor("open");
    }
    if (!first) this.#view.showResumed(!ready.resumed);
  }

  /** @param {ServerEvent} event */
  #showFinal({ turn, text }) {
    if (text === "") return this.#captions.drop(turn);
    this.#captions.turn(turn).showFinal(text);
    this.#captions.turn(turn).timeline.mark("final", performance.now());
    this.#captions.announce(text);
    this.#captions.follow();
  }

  /**
   * The utterance is over. Its last sample was captured so long ago as the microphone has gone on since.
   * @param {ServerEvent} event
   */
  #showEnd({ turn, end_sample, wait_ms, reason }) {
    const now = performance.now();
    const typed = reason === "typed" ? this.#typed.shift() : undefined;
    const since = Math.max(0, ((this.#memory.captured - end_sample) * 1000) / MICROPHONE_RATE);
    const { timeline } = this.#captions.turn(turn);
    timeline.begin(typed?.at ?? now - (reason === "typed" ? 0 : since), wait_ms);
    timeline.mark("endpoint", now);
    if (typed !== undefined) {
      this.#view.keep(typed.text);
      this.#captions.turn(turn).showFinal(typed.text);
    }
    this.#captions.follow();
  }

  /** @param {ServerEvent} event */
  #showReply({ turn, text }) {
    const shown = this.#captions.turn(turn);
    shown.timeline.mark("text", performance.now());
    shown.addSentence(text);
    this.#view.showWell();
    this.#captions.follow();
  }

  /** @param {number} turn */
  #started(turn) {
    const shown = this.#captions.known(turn);
    shown?.timeline.mark("played", performance.now() + 1000 * (this.#context.outputLatency || 0));
    shown?.drawTimeline();
    this.#captions.follow();
  }

  /** @param {ServerEvent} event */
  #finishReply({ turn, reason, timings_ms }) {
    this.#player.finish(turn);
    const shown = this.#captions.known(turn);
    if (shown === undefined) return;
    if (reason === "nothing_heard") return this.#captions.drop(turn);
    if (reason === "failed") shown.showUnanswered();
    shown.timeline.server = timings_ms;
    shown.drawTimeline();
    this.#captions.follow();
  }

  /** @param {ServerEvent} event */
  #showError({ code, message_ko, message_en }) {
    const typed = code === "wrong_order" ? this.#typed.shift() : undefined;
    if (typed !== undefined) this.#view.giveBack(typed.text);
    this.#view.showTrouble({ code, messageKo: message_ko, messageEn: message_en });
  }

  /** Nobody's turn, and what was typed before the connection was lost has not become one: it may be sent again. */
  #moveFloor(/** @type {Floor} */ floor) {
    if (this.#doubtful && floor === "open" && this.#typed.length > 0) this.#view.giveBack(this.#typed[0].text);
    this.#doubtful = false;
    this.#setFloor(floor);
  }

  /** @param {Floor} floor */
  #setFloor(floor) {
    this.#floor = floor;
    this.#view.showFloor(floor);
  }
}

/** What a lost connection is called: what matters to the person is that it is being mended. @param {Trouble} trouble */
function lost(trouble) {
  const told = ["server_full", "address_full", "draining", "offline"].includes(trouble.code);
  return told ? trouble : { code: "reconnecting", messageKo: "", messageEn: "" };
}
