// @ts-check
/**
 * The way in: be who one is logged in as, else a guest, the same one each time, and fetch a ticket for one socket.
 */

import { account } from "./account.js";
import { Refused, ask } from "./asking.js";

export { Refused };

const GUEST_KEY = "silvertalk.guest";
/** A token is asked for anew when it has less than this to live. */
const MARGIN_MS = 60_000;

export class Door {
  #token = "";
  #tokenEnds = 0;

  /**
   * A ticket for one socket, and the socket's path. Throws Refused.
   * @returns {Promise<{ticket: string, path: string}>}
   */
  async ticket() {
    try {
      return await ask("/v1/talk/ticket", {}, await this.#validToken());
    } catch (error) {
      if (!(error instanceof Refused) || !error.code.startsWith("token_")) throw error;
      this.forgetToken();
      return await ask("/v1/talk/ticket", {}, await this.#validToken());
    }
  }

  /** The access token is worth nothing any more. */
  forgetToken() {
    this.#token = "";
  }

  async #validToken() {
    if (this.#token === "" || performance.now() > this.#tokenEnds - MARGIN_MS) {
      const given = (await account.token()) ?? (await this.#becomeGuest());
      this.#token = given.access_token;
      this.#tokenEnds = performance.now() + 1000 * given.expires_in;
    }
    return this.#token;
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

/**
 * Whether this page was loaded on the way back from Kakao: then be logged in, and the guest no more, whose things are
 * the account's now. Throws Refused.
 */
export async function comeBack() {
  const how = await account.comeBack(guest());
  if (how === "in") forgetGuest();
  return how;
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
