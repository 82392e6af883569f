// @ts-check
/**
 * How patient the person wants the puppy to be: three buttons, remembered in the browser. Where nothing was ever chosen in
 * this one they show what the server keeps of the person.
 */

const KEY = "silvertalk.patience";
/** How many times as long as learned the puppy waits, in the order of the buttons. */
const FACTORS = [1, 1.5, 2];

export class Patience {
  #buttons;
  /** @type {number | null} */
  #factor;
  #kept = 1;

  /**
   * @param {HTMLElement} group of one button a step
   * @param {(factor: number) => void} onChosen
   */
  constructor(group, onChosen) {
    this.#buttons = [...group.querySelectorAll("button")];
    this.#factor = remembered();
    for (const [step, button] of this.#buttons.entries()) {
      button.onclick = () => {
        this.#factor = FACTORS[step];
        remember(this.#factor);
        this.#show();
        onChosen(this.#factor);
      };
    }
    this.#show();
  }

  /** What was chosen, now or earlier; null: nothing ever was, and what the server knows of the person counts. */
  get factor() {
    return this.#factor;
  }

  /** What the server keeps of the person. No button is pressed where it is none of the three. @param {number} factor */
  showKept(factor) {
    this.#kept = factor;
    this.#show();
  }

  #show() {
    const pressed = FACTORS.indexOf(this.#factor ?? this.#kept);
    for (const [step, button] of this.#buttons.entries()) button.ariaPressed = String(step === pressed);
  }
}

function remembered() {
  try {
    const factor = Number(localStorage.getItem(KEY));
    return FACTORS.includes(factor) ? factor : null;
  } catch {
    return null;
  }
}

/** @param {number} factor */
function remember(factor) {
  try {
    localStorage.setItem(KEY, String(factor));
  } catch {
    // Storage may be forbidden; then it holds for as long as the page is open.
  }
}
