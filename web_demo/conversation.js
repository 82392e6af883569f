// @ts-check
/**
 * One conversation: the microphone, the connection, the loudspeaker and the captions, and what passes between them.
 */

import { Captions } from "./captions.js";
import { Connection } from "./connection.js";
import { FILLER } from "./course.js";
import { Microphone } from "./microphone.js";
import { Player } from "./player.js";
import { MICROPHONE_RATE, MicrophoneMemory } from "./resume.js";

/** How loud a reply is while somebody else may be speaking: still to be followed, and no hindrance. */
const DUCKED_GAIN = 0.25;
/** What ended the softness of a reply, where the voice that was the cause goes on to be a turn. */
const WAS_FOR_US = ["speech", "finished"];
/** What was typed may come again later after these. */
const NOT_NOW = ["wrong_order", "too_many_turns"];

/**
 * @typedef {import("./protocol.js").ServerEvent} ServerEvent
 * @typedef {import("./connection.js").Trouble} Trouble
 * @typedef {"waking" | "open" | "user" | "paused" | "thinking" | "speaking" | "contested" | "lost"} Floor
 * @typedef {object} View what the page shows
 * @property {(floor: Floor) => void} showFloor also while the connection is away
 * @property {(trouble: Trouble) => void} showTrouble something the person should know; it goes on all the same
 * @property {() => void} showBack the connection is back
 * @property {(anew: boolean) => void} showResumed after it was lost; `anew`: as a new session
 * @property {() => void} showWell what was wrong is over
 * @property {(factor: number) => void} showPatience how long the server waits for the person, as it begins
 * @property {(level: number) => void} showLevel of the microphone, 0 to 1
 * @property {(level: number) => void} showVoice of the reply, 0 to 1
 * @property {(ducked: boolean) => void} showDucked the reply is played softly, since somebody else may be speaking
 * @property {(distress: {kind: string, number: string}) => void} showDistress their words call for help: whom to call
 * @property {(text: string) => void} giveBack what was typed did not arrive, as far as one can tell
 * @property {(text: string) => void} keep it did arrive
 * @property {(text: string) => void} showUnsent what was typed, and is sent as soon as the floor takes it; "": nothing
 * @property {(shown: {photo: string, url: string}) => void} showPhoto this one is talked about from now on
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
  #showedPhoto = false;
  #said = false;
  /** What was typed, and when, until the server says that it is a turn. @type {{text: string, at: number}[]} */
  #typed = [];
  /** What was typed and could not be taken when it was: one message, sent again when the floor moves; "": none. */
  #unsent = "";
  /** @type {import("./kept-talk.js").KeptTalk | null} */
  #earlier;
  /** @type {{photo: string, url: string} | null} */
  #shown = null;
  #resumeSeconds = 0;
  #language;
  /** The connection was lost; until the floor is told again nobody knows whether what was typed arrived. */
  #doubtful = false;
  /** The turn into whose reply somebody speaks while nobody knows what; 0: none. */
  #contested = 0;
  /** The newest caption of what is said there. @type {ServerEvent | null} */
  #held = null;
  /** How patient the person wants the puppy; null: they never said. @type {number | null} */
  #patience;

  /**
   * @param {AudioContext} context with the worklets loaded
   * @param {{list: HTMLElement, end: HTMLElement, announcer: HTMLElement}} places
   * @param {{language: "ko" | "en", words: import("./words.js").WORDS["ko"], patience: number | null, view: View, reserved: string, earlier: import("./kept-talk.js").KeptTalk | null}} options
   *     `earlier`: the conversation to go on with, in its language
   */
  constructor(context, places, { language, words, patience, view, reserved, earlier }) {
    this.#context = context;
    this.#earlier = earlier;
    this.#language = language;
    this.#view = view;
    this.#patience = patience;
    this.#captions = new Captions(places, language, words);
    this.#player = new Player(context, {
      onPlayback: (turn, samples) => this.#connection.say({ type: "playback", turn, samples }),
      onFlushed: (turn, samples) => this.#connection.say({ type: "flushed", turn, samples }),
      onStarted: (turn) => this.#started(turn),
      onLevel: view.showVoice,
      onDucked: view.showDucked,
    });
    const listener = {
      onState: (/** @type {import("./connection.js").State} */ state, /** @type {Trouble | null} */ trouble) =>
        this.#moved(state, trouble),
      onEvent: (/** @type {ServerEvent} */ event) => this.#take(event),
      onAudio: (/** @type {import("./protocol.js").ReplyAudio} */ audio) => this.#player.add(audio),
      playhead: () => this.#playhead,
    };
    this.#connection = new Connection(language, reserved, this.#memory, listener, earlier);
    if (earlier !== null) this.#restore(earlier);
  }

  /** @param {import("./kept-talk.js").KeptTalk} earlier */
  #restore(earlier) {
    this.#said = earlier.said;
    this.#shown = earlier.shown;
    this.#showedPhoto = earlier.shown !== null;
    this.#unsent = earlier.unsent;
    this.#typed = earlier.typed.map((text) => ({ text, at: performance.now() }));
    this.#doubtful = this.#typed.length > 0;
    this.#captions.restore(earlier.lines);
  }

  get #playhead() {
    return this.#player.playhead ?? this.#earlier?.playhead ?? null;
  }

  /** What it takes to go on with it in another page; null before it has begun. @returns {import("./kept-talk.js").KeptTalk | null} */
  get kept() {
    if (this.#session === "") return this.#earlier;
    return {
      ...this.#connection.standing,
      session: this.#session,
      language: this.#language,
      playhead: this.#playhead,
      listening: this.listening,
      makesFilm: this.makesFilm,
      said: this.#said,
      shown: this.#shown,
      lines: this.#captions.lines,
      unsent: this.#unsent,
      typed: this.#typed.map(({ text }) => text),
      resumeSeconds: this.#resumeSeconds,
    };
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

  /** The session's id; empty until there is one. */
  get session() {
    return this.#session;
  }

  /** Whether a film can be made of it: a photo was shown, and the person said something. */
  get makesFilm() {
    return this.#showedPhoto && this.#said;
  }

  /** Whether the person's voice is heard here; otherwise they type. */
  get listening() {
    return this.#microphone !== null;
  }

  get mayCommit() {
    return this.#connection.open && (this.#floor === "user" || this.#floor === "paused");
  }

  get mayCancel() {
    return this.#connection.open && ["thinking", "speaking", "contested"].includes(this.#floor);
  }

  /** One message at a time may wait until it is taken. */
  get mayType() {
    return this.#unsent === "";
  }

  commit() {
    if (this.mayCommit) this.#connection.say({ type: "commit" });
  }

  cancel() {
    if (this.mayCancel) this.#connection.say({ type: "cancel" });
  }

  /**
   * Say something in writing; false while an earlier message waits. It is told to the server at once, whoever has the
   * floor: a call for help is heard even where nothing else can be taken.
   * @param {string} text not blank
   */
  type(text) {
    if (!this.mayType) return false;
    if (!this.#write(text)) this.#wait(text);
    return true;
  }

  /** The newest words come into sight. */
  showNewest() {
    this.#captions.showNewest();
  }

  /** @param {string} text */
  #write(text) {
    if (!this.#connection.say({ type: "text", text })) return false;
    this.#typed = [...this.#typed.filter((earlier) => earlier.text !== text), { text, at: performance.now() }];
    return true;
  }

  /** It is sent when the floor takes it; "": nothing is. @param {string} text */
  #wait(text) {
    this.#unsent = text;
    this.#view.showUnsent(text);
  }

  /** How long to wait for the person: 1 as learned, 2 twice as long. @param {number} factor */
  waitFor(factor) {
    this.#patience = factor;
    this.#connection.say({ type: "patience", factor });
  }

  /** The conversation is over. */
  leave() {
    this.#connection.leave();
  }

  // --- what the connection says ------------------------------------------------------------------------------------

  /** @param {import("./connection.js").State} state @param {Trouble | null} trouble */
  #moved(state, trouble) {
    if (state === "ended") {
      const left = this.#unsent === "" ? (this.#typed[0]?.text ?? "") : this.#unsent;
      if (left !== "") this.#view.giveBack(left);
      this.#wait("");
      this.#microphone?.close();
      this.#player.close();
      void this.#context.close();
      this.#view.showEnd(trouble);
    } else if (state === "talking") this.#view.showBack();
    else {
      this.#doubtful = state === "lost" || this.#typed.length > 0;
      this.#settle(); // nobody is left to tell when it ends
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
        return this.#showPartial(event);
      case "transcript.final":
        return this.#showFinal(event);
      case "endpoint.wait":
        return this.#showWait(event);
      case "turn.ended":
        return this.#showEnd(event);
      case "speculation":
        return this.#captions.known(event.turn)?.course.speculates(event.state);
      case "distress":
        return this.#showDistress(event);
      case "duck":
        return this.#duck(event);
      case "photo.shown":
        this.#showedPhoto = true;
        this.#shown = { photo: event.photo, url: event.url };
        return this.#view.showPhoto(this.#shown);
      case "reply.text":
        return this.#showReply(event);
      case "reply.audio":
        return this.#captions.known(event.turn)?.showAudio(event.sentence);
      case "reply.done":
        return this.#finishReply(event);
      case "flush":
        return this.#flush(event);
      case "turn.committed":
        return this.#captions.known(event.turn)?.showHeard(event.heard);
      case "error":
        return this.#showError(event);
    }
  }

  /** @param {ServerEvent} ready */
  #begin(ready) {
    const newPage = this.#session === "";
    const first = newPage && this.#earlier === null;
    this.#session = ready.session;
    this.#resumeSeconds = ready.resume_seconds;
    this.#settle();
    this.#view.showPatience(ready.patience);
    if (this.#patience !== null) this.#connection.say({ type: "patience", factor: this.#patience });
    if (newPage || !ready.resumed) this.#player.begin(ready.output_rate);
    if (newPage && ready.resumed && this.#shown !== null) this.#view.showPhoto(this.#shown);
    if (newPage) this.#wait(this.#unsent); // of the earlier page
    if (!ready.resumed) {
      this.#captions.forgetNumbers();
      this.#setFloor("open");
    }
    if (!first) this.#view.showResumed(!ready.resumed);
  }

  /** Nothing is shown of a voice of which it is not known whether it speaks to the puppy. @param {ServerEvent} event */
  #showPartial(event) {
    if (this.#contested > 0 && event.turn > this.#contested) {
      this.#held = event;
      return;
    }
    this.#goOn(event.turn);
    this.#captions.turn(event.turn).showPartial(event.stable, event.tentative);
    this.#captions.follow();
  }

  /** @param {ServerEvent} event */
  #showWait(event) {
    if (this.#contested > 0 && event.turn > this.#contested) return;
    this.#goOn(event.turn);
    const shown = this.#captions.turn(event.turn);
    shown.course.waits(event);
    shown.drawDetails();
    this.#captions.follow();
  }

  /** The person speaks in this turn; if its reply was flushed that was because they went on with it. @param {number} turn */
  #goOn(turn) {
    const shown = this.#captions.known(turn);
    if (!shown?.goOn()) return;
    this.#captions.dropAfter(turn);
    shown.drawDetails();
  }

  /** @param {ServerEvent} event */
  #showFinal({ turn, text }) {
    if (text === "") return this.#captions.drop(turn);
    this.#said = true;
    this.#goOn(turn);
    this.#captions.turn(turn).showFinal(text);
    this.#captions.turn(turn).timeline.mark("final", performance.now());
    this.#captions.announce(text);
    this.#captions.follow();
  }

  /**
   * The utterance is over. Its last sample was captured so long ago as the microphone has gone on since.
   * @param {ServerEvent} event
   */
  #showEnd(event) {
    const { turn, end_sample, wait_ms, reason } = event;
    const now = performance.now();
    this.#goOn(turn);
    const typed = reason === "typed" ? this.#typed.shift() : undefined;
    const since = Math.max(0, ((this.#memory.captured - end_sample) * 1000) / MICROPHONE_RATE);
    const shown = this.#captions.turn(turn);
    const { timeline } = shown;
    shown.end(event);
    timeline.begin(typed?.at ?? now - (reason === "typed" ? 0 : since), wait_ms);
    timeline.mark("endpoint", now);
    if (typed !== undefined) {
      this.#said = true;
      this.#view.keep(typed.text);
      shown.showFinal(typed.text);
    }
    shown.drawDetails();
    this.#captions.follow();
  }

  /** @param {ServerEvent} event */
  #showReply({ turn, reply, sentence, text, source }) {
    const shown = this.#captions.turn(turn);
    if (source !== FILLER) shown.timeline.mark("text", performance.now());
    shown.addSentence({ reply, sentence, text, source });
    this.#view.showWell();
    this.#captions.follow();
  }

  /** @param {number} turn */
  #started(turn) {
    const shown = this.#captions.known(turn);
    shown?.showPlayed(performance.now() + 1000 * (this.#context.outputLatency || 0));
    shown?.drawDetails();
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
    shown.drawDetails();
    this.#captions.follow();
  }

  /** Play the reply softly, or not any more. @param {ServerEvent} event */
  #duck({ turn, ducked, because }) {
    const shown = this.#captions.known(turn);
    shown?.course.ducks(ducked, because);
    shown?.drawDetails();
    if (ducked) {
      this.#contested = turn;
      this.#player.duck(turn, DUCKED_GAIN);
      return;
    }
    const held = this.#settle();
    if (WAS_FOR_US.includes(because)) {
      if (held !== null) this.#showPartial(held);
    } else this.#captions.dropAfter(turn);
  }

  /** It is known who spoke, or will never be: the reply is as loud as ever. Returns what was not shown. */
  #settle() {
    const held = this.#held;
    this.#held = null;
    this.#contested = 0;
    this.#player.rise();
    return held;
  }

  /** @param {ServerEvent} event */
  #flush({ turn, upto_sample }) {
    if (turn === this.#contested) this.#settle();
    this.#player.flush(turn, upto_sample);
    this.#captions.known(turn)?.flush();
  }

  /** @param {ServerEvent} event */
  #showDistress({ turn, kind, number }) {
    const shown = this.#captions.known(turn);
    shown?.course.distresses(kind);
    shown?.drawDetails();
    this.#view.showDistress({ kind, number });
  }

  /** @param {ServerEvent} event */
  #showError({ code, message_ko, message_en }) {
    const typed = NOT_NOW.includes(code) ? this.#typed.shift() : undefined;
    if (typed !== undefined && this.#unsent === "") return this.#wait(typed.text);
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
    const takes = this.#connection.open && ["open", "speaking", "contested"].includes(floor);
    if (takes && this.#unsent !== "" && this.#write(this.#unsent)) this.#wait("");
  }
}

/** What a lost connection is called: what matters to the person is that it is being mended. @param {Trouble} trouble */
function lost(trouble) {
  const told = ["server_full", "address_full", "draining", "offline"].includes(trouble.code);
  return told ? trouble : { code: "reconnecting", messageKo: "", messageEn: "" };
}
