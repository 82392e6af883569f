// @ts-check
/**
 * While somebody talks the screen does not go dark: a phone that sleeps silences its microphone and its loudspeaker.
 */

export class Awake {
  /** @type {WakeLockSentinel | null} */
  #lock = null;

  /** From now on; it is no harm where the browser cannot do it. */
  begin() {
    document.addEventListener("visibilitychange", this.#ask);
    this.#ask();
  }

  end() {
    document.removeEventListener("visibilitychange", this.#ask);
    void this.#lock?.release();
    this.#lock = null;
  }

  /** The browser lets go of it whenever the page is out of sight. */
  #ask = async () => {
    if (document.visibilityState !== "visible" || navigator.wakeLock === undefined) return;
    try {
      this.#lock = await navigator.wakeLock.request("screen");
    } catch {
      // The battery is low, or the person has forbidden it.
    }
  };
}
