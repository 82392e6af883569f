// @ts-check
/**
 * One conversation over as many sockets as it takes. A socket that is lost is replaced by itself: after a jittered
 * pause, at once when the network comes back, and with what the server needs to go on where it was.
 */

import { Refused, door } from "./login.js";
import { decodeAudio, hello, socketAddress } from "./protocol.js";
import { Backoff, MICROPHONE_RATE, Position, afterClose } from "./resume.js";

/** From the first step of an attempt to its `ready`. */
const READY_MS = 15_000;
/** The server says about once a second how much it has received, so this long a silence is a dead connection. */
const SILENCE_MS = 5_000;
/** What a slow network may have waiting, about two seconds; the rest stays in the microphone's memory. */
const MOST_UNSENT_BYTES = 2 * 2 * MICROPHONE_RATE;
/** One frame is 320 samples; what piled up meanwhile goes in larger messages, up to the protocol's 4,096 bytes. */
const MOST_SAMPLES = 2_000;
/** Tries with a fresh token before the person is told that it is of no use. */
const TOKEN_TRIES = 2;

/**
 * @typedef {import("./protocol.js").ServerEvent} ServerEvent
 * @typedef {{code: string, messageKo: string, messageEn: string}} Trouble
 * @typedef {"connecting" | "talking" | "lost" | "ended"} State
 *     connecting: not there yet; talking; lost: a conversation that is being taken up again; ended: for good
 * @typedef {object} Listener
 * @property {(state: State, trouble: Trouble | null) => void} onState
 * @property {(event: ServerEvent) => void} onEvent every event that is news, `ready` included
 * @property {(audio: import("./protocol.js").ReplyAudio) => void} onAudio also what is there already
 * @property {() => import("./protocol.js").Playhead | null} playhead how far the last reply was played
 */

export class Connection {
  #position = new Position();
  #backoff = new Backoff();
  #language;
  #reserved;
  #memory;
  #listener;
  /** @type {WebSocket | null} */
  #socket = null;
  /** The attempt in hand; what an earlier one still brings is left alone. */
  #attempt = 0;
  #timer = 0;
  #session = "";
  #received = 0;
  #ready = false;
  #ended = false;
  #heardAt = 0;
  #tokensTried = 0;
  /** @type {Trouble | null} */
  #trouble = null;

  /**
   * @param {"ko" | "en"} language of the whole conversation
   * @param {string} reserved the conversation to open; "": a new one
   * @param {import("./resume.js").MicrophoneMemory} memory
   * @param {Listener} listener
   * @param {import("./kept-talk.js").KeptTalk | null} earlier a conversation to go on with
   */
  constructor(language, reserved, memory, listener, earlier = null) {
    this.#language = language;
    this.#reserved = reserved;
    this.#memory = memory;
    this.#listener = listener;
    if (earlier === null) return;
    this.#session = earlier.session;
    this.#position.set(earlier);
    this.#received = earlier.received;
    memory.resumeFrom(earlier.captured);
  }

  /** Where this client stands, for another page that goes on with the conversation. */
  get standing() {
    const { epoch, event } = this.#position;
    return { epoch, event, captured: this.#memory.captured, received: this.#received };
  }

  get open() {
    return this.#ready;
  }

  /** Begin; whatever happens from here on is told to the listener. */
  start() {
    addEventListener("online", this.#onOnline);
    addEventListener("offline", this.#onOffline);
    this.#listener.onState("connecting", null);
    void this.#connect();
  }

  /** Say good-bye: nothing will be resumed. */
  leave() {
    if (this.#ready) this.say({ type: "bye" });
    this.#end(null);
  }

  /**
   * Send a message; false if there is nobody to hear it now.
   * @param {{type: string, [field: string]: any}} message
   */
  say(message) {
    if (!this.#ready || this.#socket === null) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Send what the microphone has. Called with every frame of it, so it is the clock of the watch over silence too. */
  pump() {
    const socket = this.#socket;
    if (!this.#ready || socket === null) return;
    if (performance.now() - this.#heardAt > SILENCE_MS) {
      this.#lose("silence");
      return;
    }
    while (socket.bufferedAmount < MOST_UNSENT_BYTES) {
      const piece = this.#memory.take(MOST_SAMPLES);
      if (piece.length === 0) return;
      socket.send(piece);
    }
  }

  // --- coming in ---------------------------------------------------------------------------------------------------

  async #connect() {
    const attempt = ++this.#attempt;
    this.#wait(READY_MS, () => this.#lose("no_ready"));
    try {
      const { ticket, path } = await door.ticket(this.#session === "" ? this.#reserved : "");
      if (attempt !== this.#attempt) return;
      this.#open(attempt, ticket, socketAddress(path, location.href));
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (!(error instanceof Refused)) throw error;
      this.#trouble = error;
      if (error.retryable) this.#tryLater(error.retryAfterMs);
      else this.#end(error);
    }
  }

  /** @param {number} attempt @param {string} ticket @param {string} address */
  #open(attempt, ticket, address) {
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const resume = this.#session === "" ? null : this.#standing();
    socket.onopen = () => socket.send(JSON.stringify(hello({ ticket, language: this.#language, resume })));
    socket.onmessage = ({ data }) => {
      if (attempt !== this.#attempt) return;
      this.#heardAt = performance.now();
      if (typeof data === "string") this.#take(JSON.parse(data));
      else this.#listener.onAudio(decodeAudio(data));
    };
    socket.onclose = ({ code }) => {
      if (attempt === this.#attempt) this.#closed(code);
    };
  }

  /** Where this client stands, for `hello`. */
  #standing() {
    return {
      session: this.#session,
      epoch: this.#position.epoch,
      last_event: this.#position.event,
      microphone_sample: this.#memory.captured,
      received_samples: this.#received,
      playhead: this.#listener.playhead(),
    };
  }

  /** @param {ServerEvent} event */
  #take(event) {
    if (event.type === "ready") this.#welcome(event);
    else if (event.type === "error") {
      // What concerns a turn is no reason for the connection's end.
      if (event.turn === null) {
        this.#trouble = { code: event.code, messageKo: event.message_ko, messageEn: event.message_en };
      }
      if (event.epoch > 0) this.#position.advance(event);
      this.#listener.onEvent(event);
    } else if (event.type === "resync") this.#listener.onEvent(event);
    else if (this.#position.advance(event)) {
      if (event.type === "received_samples") {
        this.#received = event.samples;
        this.#memory.acknowledge(event.samples);
      }
      this.#listener.onEvent(event);
    }
  }

  /** @param {ServerEvent} ready */
  #welcome(ready) {
    clearTimeout(this.#timer);
    const first = this.#session === "";
    this.#session = ready.session;
    this.#position.set(ready);
    this.#ready = true;
    this.#trouble = null;
    this.#tokensTried = 0;
    this.#backoff.reset();
    if (ready.resumed) this.#memory.resumeFrom(ready.microphone_sample);
    else if (first) this.#memory.clear();
    else this.#memory.startAnew();
    this.#received = ready.microphone_sample;
    this.#listener.onState("talking", null);
    this.#listener.onEvent(ready);
    this.pump();
  }

  // --- losing it, and trying again ---------------------------------------------------------------------------------

  /** @param {number} code */
  #closed(code) {
    const next = afterClose(code);
    if (next === "never") this.#end(this.#trouble ?? trouble(`close_${code}`));
    else if (next === "now") this.#tryAt(0);
    else if (next === "later") this.#tryLater(0);
    else if (this.#tokensTried++ < TOKEN_TRIES) {
      door.forgetToken();
      this.#tryLater(0);
    } else this.#end(this.#trouble ?? trouble("unauthenticated"));
  }

  /** The network says nothing, or is gone: this socket is not waited for. @param {string} code */
  #lose(code) {
    // Who was told that another window has taken their place does not take it back, though the good-bye never came.
    if (this.#trouble?.code === "session_replaced") return this.#end(this.#trouble);
    this.#trouble ??= trouble(code);
    this.#tryLater(0);
  }

  /** @param {number} atLeastMs */
  #tryLater(atLeastMs) {
    this.#tryAt(Math.max(atLeastMs, this.#backoff.next()));
  }

  /** @param {number} ms from now */
  #tryAt(ms) {
    this.#drop();
    this.#listener.onState(this.#session === "" ? "connecting" : "lost", this.#trouble ?? trouble("unreachable"));
    this.#wait(ms, () => void this.#connect());
  }

  /** Let go of the socket; whatever it still brings is not ours any more. */
  #drop() {
    this.#attempt += 1;
    this.#ready = false;
    this.#socket?.close();
    this.#socket = null;
  }

  /** @param {Trouble | null} why null: the person wanted it so */
  #end(why) {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    removeEventListener("online", this.#onOnline);
    removeEventListener("offline", this.#onOffline);
    this.#drop();
    this.#listener.onState("ended", why);
  }

  /** One deadline at a time. @param {number} ms @param {() => void} then */
  #wait(ms, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }

  #onOnline = () => {
    this.#backoff.reset();
    if (!this.#ready) this.#tryAt(0);
  };

  #onOffline = () => {
    if (this.#ready) this.#lose("offline");
  };
}

/** @param {string} code @returns {Trouble} */
function trouble(code) {
  return { code, messageKo: "", messageEn: "" };
}
