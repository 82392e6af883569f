// @ts-check
/**
 * A conversation that was left without a good-bye, as when the page is loaded anew: what it takes to go on with it, kept
 * in this tab's storage and nowhere else. Without storage (a private window may forbid it) it cannot be gone on with.
 */

const KEY = "silvertalk.talk";

/**
 * @typedef {{turn: number, person: string, puppy: string, reply: number}} Line
 * @typedef {object} KeptTalk
 * @property {string} session
 * @property {"ko" | "en"} language
 * @property {number} epoch
 * @property {number} event of the last one that came
 * @property {number} captured samples of the microphone
 * @property {number} received samples, as the server said
 * @property {import("./protocol.js").Playhead | null} playhead
 * @property {boolean} listening whether they spoke; else they typed
 * @property {boolean} makesFilm
 * @property {boolean} said
 * @property {{photo: string, url: string} | null} shown
 * @property {Line[]} lines
 * @property {string} unsent what was typed and waits to be taken
 * @property {string[]} typed what was sent and is no turn yet, as far as is known
 * @property {number} resumeSeconds
 */

/** @param {KeptTalk} talk */
export function keepTalk(talk) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ ...talk, at: Date.now() }));
  } catch {
    // It is forbidden, or full.
  }
}

/** What was kept; `late` when the server waits no longer. @returns {(KeptTalk & {late: boolean}) | null} */
export function keptTalk() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    return kept === null ? null : { ...kept, late: Date.now() - kept.at > 1000 * kept.resumeSeconds };
  } catch {
    return null;
  }
}

export function forgetTalk() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // It is forbidden.
  }
}
