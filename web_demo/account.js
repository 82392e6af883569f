// @ts-check
/**
 * The person's account, where they have one: logging in with Kakao, staying logged in, leaving.
 *
 * Kakao's page sends the browser back here with a code. It is taken only with the `state` that this very tab made, and
 * is worth nothing without the verifier (PKCE) that only this tab has.
 *
 * The refresh token lies in the browser's storage, as the guest's id does, and is worth one use: who stole it and used
 * it is found out with our own next use. The page's policy lets no script but ours read it.
 */

import { Refused, ask } from "./asking.js";

const LOGIN_KEY = "silvertalk.login";
const ATTEMPT_KEY = "silvertalk.attempt";
/** Two windows of one browser have one refresh token, and use it one after the other. */
const REFRESH_LOCK = "silvertalk.refresh";
/** After these there is no login any more. */
const OVER = ["refresh_refused", "refresh_reused", "account_erased", "request_invalid"];

/** @typedef {{refresh_token: string, nickname: string}} Login */
/** @typedef {{available: boolean, authorize_url: string, client_id: string, redirect_uris: string[], pretended: boolean}} Ways */
/** @typedef {{state: string, verifier: string, redirect_uri: string}} Attempt */

export class Account {
  /** Called when somebody has come or gone. */
  onChange = () => {};
  /** @type {Login | null} */
  #login = /** @type {Login | null} */ (kept(LOGIN_KEY, localStorageOrNone()));
  /** @type {Ways | null} */
  #ways = null;

  get loggedIn() {
    return this.#login !== null;
  }

  get nickname() {
    return this.#login?.nickname ?? "";
  }

  /** Whether one can log in from this page. */
  get possible() {
    return this.#ways !== null && this.#ways.available && this.#ways.redirect_uris.includes(here());
  }

  /** Whether it is the practice Kakao of this machine. */
  get pretended() {
    return this.#ways?.pretended ?? false;
  }

  /** Ask the server how one logs in here. Never throws: where nobody answers one is a guest. */
  async look() {
    try {
      this.#ways = await ask("/auth/kakao", null);
    } catch {
      this.#ways = null;
    }
    this.onChange();
  }

  /** Go to Kakao's page. */
  async begin() {
    if (!this.possible || this.#ways === null) return;
    const attempt = { state: random(), verifier: random(), redirect_uri: here() };
    keep(ATTEMPT_KEY, attempt, sessionStorageOrNone());
    const query = new URLSearchParams({
      client_id: this.#ways.client_id,
      redirect_uri: attempt.redirect_uri,
      response_type: "code",
      state: attempt.state,
      code_challenge: await challengeOf(attempt.verifier),
      code_challenge_method: "S256",
    });
    location.assign(`${this.#ways.authorize_url}?${query}`);
  }

  /**
   * Whether this page was loaded on the way back from Kakao: then be logged in. Throws Refused.
   * @param {string | null} guest the guest one has been so far
   * @returns {Promise<"no" | "in" | "declined">}
   */
  async comeBack(guest) {
    const told = new URLSearchParams(location.search);
    if (!told.has("code") && !told.has("error")) return "no";
    // A code must not stay in the address, nor be sent again with a reload.
    history.replaceState(null, "", location.pathname);
    const attempt = /** @type {Attempt | null} */ (kept(ATTEMPT_KEY, sessionStorageOrNone()));
    forget(ATTEMPT_KEY, sessionStorageOrNone()); // once: a second return with the same state is nobody's
    if (attempt === null || told.get("state") !== attempt.state) throw new Refused({ code: "foreign_login" });
    if (!told.has("code")) return "declined";
    const answer = await ask("/auth/kakao", {
      code: told.get("code"),
      redirect_uri: attempt.redirect_uri,
      code_verifier: attempt.verifier,
      ...(guest === null ? {} : { guest_id: guest }),
    });
    this.#keep({ refresh_token: answer.refresh_token, nickname: answer.user.nickname });
    return "in";
  }

  /**
   * A fresh access token, or null where nobody is logged in (any more). Throws Refused while that cannot be told.
   * @returns {Promise<{access_token: string, expires_in: number} | null>}
   */
  async token() {
    if (this.#login === null) return null;
    return navigator.locks === undefined
      ? await this.#refresh()
      : await navigator.locks.request(REFRESH_LOCK, () => this.#refresh());
  }

  async #refresh() {
    // Another window may have used it meanwhile, and left its successor.
    const login = /** @type {Login | null} */ (kept(LOGIN_KEY, localStorageOrNone())) ?? this.#login;
    if (login === null) return null;
    try {
      const answer = await ask("/auth/refresh", { refresh_token: login.refresh_token });
      this.#keep({ ...login, refresh_token: answer.refresh_token });
      return answer;
    } catch (error) {
      if (!(error instanceof Refused) || !OVER.includes(error.code)) throw error;
      this.#keep(null);
      return null;
    }
  }

  /** End this login, here and at the server. Throws Refused where the server cannot be told: then nothing has ended. */
  async logOut() {
    const fresh = await this.token();
    if (fresh !== null) await ask("/auth/logout", {}, fresh.access_token);
    this.#keep(null);
  }

  /** The account is gone, and every login with it. */
  leave() {
    this.#keep(null);
  }

  /** @param {Login | null} login */
  #keep(login) {
    this.#login = login;
    if (login === null) forget(LOGIN_KEY, localStorageOrNone());
    else keep(LOGIN_KEY, login, localStorageOrNone());
    this.onChange();
  }
}

/** The one of this page. */
export const account = new Account();

/** This page's address, as Kakao has it registered. */
function here() {
  return location.origin + location.pathname;
}

/** 256 bits, 43 characters. */
function random() {
  return encoded(crypto.getRandomValues(new Uint8Array(32)));
}

/** @param {string} verifier */
async function challengeOf(verifier) {
  return encoded(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

/** @param {Uint8Array} bytes */
function encoded(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

// Storage may be forbidden, as in a private window: then a login lasts as long as the page.

function localStorageOrNone() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

function sessionStorageOrNone() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}

/** @param {string} key @param {Storage | null} storage @returns {unknown} */
function kept(key, storage) {
  try {
    return JSON.parse(storage?.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {string} key @param {object} value @param {Storage | null} storage */
function keep(key, value, storage) {
  try {
    storage?.setItem(key, JSON.stringify(value));
  } catch {
    // It is full, or forbidden.
  }
}

/** @param {string} key @param {Storage | null} storage */
function forget(key, storage) {
  try {
    storage?.removeItem(key);
  } catch {
    // It is forbidden.
  }
}
