// @ts-check
/**
 * One question to the server, and its answer or its refusal.
 */

/** How long an answer may take. */
const ANSWER_MS = 10_000;

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

/**
 * POST a body, or GET where there is none, or whatever `method` says. Throws Refused.
 * @param {string} path
 * @param {object | null} body
 * @param {string} [token]
 * @param {string} [method]
 * @returns {Promise<any>} null where there is nothing to be said
 */
export async function ask(path, body, token, method = body === null ? "GET" : "POST") {
  /** @type {Record<string, string>} */
  const headers = body === null ? {} : { "Content-Type": "application/json" };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  let answer;
  let content;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === null ? null : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    content = answer.status === 204 ? null : await answer.json();
  } catch {
    throw new Refused({ code: "unreachable", retryable: true });
  }
  if (answer.ok) return content;
  // A proxy in between may answer with something else than this server's problems.
  const problem = { code: `http_${answer.status}`, retryable: answer.status >= 500, ...content };
  throw new Refused(problem, 1000 * (Number(answer.headers.get("Retry-After")) || 0));
}
