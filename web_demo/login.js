// @ts-check
/**
 * The way in: become a guest, the same one each time, and fetch a ticket for one socket.
 */

/** How long an answer may take. */
const ANSWER_MS = 10_000;
const GUEST_KEY = "silvertalk.guest";
/** A token is asked for anew when it has less than this to live. */
const MARGIN_MS = 60_000;

/** The server said no, in words for the person; or nobody answers, and the code is "unreachable". */
export class Refused extends Error {
  /**
   * @param {{code: string, retryable?: boolean, message?: string, message_en?: string}} problem
   * @param {number} [retryAfterMs] how long the server asks us to wait
   */
  constructor(problem, retryAfterMs = 0) {
    super(problem.code);
    this.code = problem.code;
    this.retryable = problem.retryable ?? false;
    this.messageKo = problem.message ?? "";
    this.messageEn = problem.message_en ?? "";
    this.retryAfterMs = retryAfterMs;
  }
}

export class Door {
  #token = "";
  #tokenEnds = 0;

  /**
   * A ticket for one socket, and the socket's path. Throws Refused.
   * @returns {Promise<{ticket: string, path: string}>}
   */
  async ticket() {
    try {
      return await this.#ask("/v1/talk/ticket", {}, await this.#validToken());
    } catch (error) {
      if (!(error instanceof Refused) || !error.code.startsWith("token_")) throw error;
      this.forgetToken();
      return await this.#ask("/v1/talk/ticket", {}, await this.#validToken());
    }
  }

  /** The access token is worth nothing any more. */
  forgetToken() {
    this.#token = "";
  }

  async #validToken() {
    if (this.#token === "" || performance.now() > this.#tokenEnds - MARGIN_MS) {
      const guest = await this.#becomeGuest();
      remember(guest.guest_id);
      this.#token = guest.access_token;
      this.#tokenEnds = performance.now() + 1000 * guest.expires_in;
    }
    return this.#token;
  }

  async #becomeGuest() {
    const guest = remembered();
    try {
      return await this.#ask("/auth/guest", guest === null ? {} : { guest_id: guest });
    } catch (error) {
      // The server does not know this guest any more, so be a new one.
      if (!(error instanceof Refused) || error.code !== "guest_refused" || guest === null) throw error;
      return await this.#ask("/auth/guest", {});
    }
  }

  /**
   * @param {string} path
   * @param {object} body
   * @param {string} [token]
   * @returns {Promise<any>}
   */
  async #ask(path, body, token) {
    /** @type {Record<string, string>} */
    const headers = { "Content-Type": "application/json" };
    if (token !== undefined) headers.Authorization = `Bearer ${token}`;
    let answer;
    let content;
    try {
      answer = await fetch(path, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      content = await answer.json();
    } catch {
      throw new Refused({ code: "unreachable", retryable: true });
    }
    if (answer.ok) return content;
    // A proxy in between may answer with something else than this server's problems.
    const problem = { code: `http_${answer.status}`, retryable: answer.status >= 500, ...content };
    throw new Refused(problem, 1000 * (Number(answer.headers.get("Retry-After")) || 0));
  }
}

/** Storage may be forbidden, as in a private window: then one is a new guest each time. */
function remembered() {
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
    // See `remembered`.
  }
}
