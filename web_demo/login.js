// @ts-check
/**
 * The way in: be who one is logged in as, else a guest, the same one each time; ask for one's own things, and fetch
 * tickets for the voice socket.
 */

import { account } from "./account.js";
import { Refused, ask } from "./asking.js";

export { Refused };

const GUEST_KEY = "silvertalk.guest";
/** A token is asked for anew when it has less than this to live. */
const MARGIN_MS = 60_000;

class Door {
  #token = "";
  #tokenEnds = 0;
  /** @type {Promise<void> | null} */
  #fetching = null;

  /**
   * A ticket for one socket, of a conversation that was reserved where one is named, and the socket's path. Throws
   * Refused.
   * @param {string} session
   * @returns {Promise<{ticket: string, path: string}>}
   */
  ticket(session = "") {
    return this.ask("/v1/talk/ticket", session === "" ? {} : { session_id: session });
  }

  /**
   * Something of the person's own: as `ask` in `asking.js`, with their token. Throws Refused.
   * @param {string} path
   * @param {object | null} [body]
   * @param {string} [method]
   * @returns {Promise<any>}
   */
  async ask(path, body = null, method) {
    try {
      return await ask(path, body, await this.token(), method);
    } catch (error) {
      if (!(error instanceof Refused) || !error.code.startsWith("token_")) throw error;
      this.forgetToken();
      return await ask(path, body, await this.token(), method);
    }
  }

  /** The access token is worth nothing any more. */
  forgetToken() {
    this.#token = "";
  }

  /** An access token that is good for a while. Throws Refused. */
  async token() {
    if (this.#token === "" || performance.now() > this.#tokenEnds - MARGIN_MS) await this.#fetched();
    return this.#token;
  }

  /** Whoever asks while it is being fetched waits for the same one: two guests at once would be two people. */
  #fetched() {
    this.#fetching ??= this.#fetch().finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  async #fetch() {
    const given = (await account.token()) ?? (await this.#becomeGuest());
    this.#token = given.access_token;
    this.#tokenEnds = performance.now() + 1000 * given.expires_in;
  }

  async #becomeGuest() {
    const known = guest();
    let given;
    try {
      given = await ask("/auth/guest", known === null ? {} : { guest_id: known });
    } catch (error) {
      // The server does not know this guest any more, so be a new one.
      if (!(error instanceof Refused) || error.code !== "guest_refused" || known === null) throw error;
      given = await ask("/auth/guest", {});
    }
    remember(given.guest_id);
    return given;
  }
}

/** The one of this page. */
export const door = new Door();

/** Whether somebody has been here before, as a guest. */
export function isKnown() {
  return guest() !== null;
}

/**
 * Whether this page was loaded on the way back from Kakao: then be logged in, and the guest no more, whose things are
 * the account's now. Throws Refused.
 */
export async function comeBack() {
  const how = await account.comeBack(guest());
  if (how === "in") {
    forgetGuest();
    door.forgetToken();
  }
  return how;
}

/** Who was here is nobody any more: their account is gone. */
export function leave() {
  forgetGuest();
  account.leave();
  door.forgetToken();
}

/** Storage may be forbidden, as in a private window: then one is a new guest each time. */
function guest() {
  try {
    return localStorage.getItem(GUEST_KEY);
  } catch {
    return null;
  }
}

/** @param {string} guest */
function remember(guest) {
  try {
    localStorage.setItem(GUEST_KEY, guest);
  } catch {
    // See `guest`.
  }
}

function forgetGuest() {
  try {
    localStorage.removeItem(GUEST_KEY);
  } catch {
    // See `guest`.
  }
}
