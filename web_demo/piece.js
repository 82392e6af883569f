// @ts-check
/**
 * A piece of the page: an element with its words, or with other pieces in it.
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {string | (Node | string)[]} [inside]
 * @param {string} [className]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function piece(name, inside = "", className = "") {
  const made = document.createElement(name);
  made.append(...(typeof inside === "string" ? [inside] : inside));
  if (className !== "") made.className = className;
  return made;
}

/** @param {string} words @param {() => void} pressed @param {string} [name] what is read out, where that is more */
export function button(words, pressed, name) {
  const made = piece("button", words);
  made.type = "button";
  made.onclick = pressed;
  if (name !== undefined) made.ariaLabel = name;
  return made;
}
