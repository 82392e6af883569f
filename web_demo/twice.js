// @ts-check
/**
 * A button that takes something away: it asks once more, in its own place, before it does.
 *
 * The answer that keeps everything has the focus first, and stands where the button stood, so that a finger that
 * presses twice, or a key that is held, takes nothing away. Escape is that answer, too.
 */

/** @typedef {import("./words.js").WORDS["ko"]} Words */

/**
 * @param {object} asked
 * @param {string} asked.label what stands on the button
 * @param {string} asked.name what it is called where it is read out, which says what it takes away
 * @param {string} asked.question
 * @param {Words} asked.words
 * @param {() => Promise<void>} asked.sure what is done after a yes; never throws
 * @returns {HTMLElement}
 */
export function twice({ label, name, question, words, sure }) {
  const place = document.createElement("span");
  const [first, no, yes] = [label, words.no, words.yes].map(button);
  const asking = document.createElement("span");
  const said = document.createElement("span");
  place.className = "twice";
  first.ariaLabel = name;
  asking.className = "asking";
  asking.role = "group";
  asking.ariaLabel = `${question} ${name}`;
  said.textContent = question;
  const answers = document.createElement("span");
  answers.className = "answers";
  answers.append(yes, no);
  asking.append(said, answers);
  place.append(first);
  const keep = () => {
    const held = place.contains(document.activeElement);
    place.replaceChildren(first);
    if (held) first.focus();
  };
  first.onclick = () => {
    place.replaceChildren(asking);
    no.focus();
  };
  no.onclick = keep;
  asking.onkeydown = ({ key }) => {
    if (key === "Escape") keep();
  };
  let doing = false;
  yes.onclick = async ({ detail }) => {
    if (doing || detail > 1) return; // the second half of a double click was meant for what stood here before
    doing = true;
    await sure();
    doing = false;
    if (place.isConnected) keep();
  };
  return place;
}

/** @param {string} words */
function button(words) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  return made;
}
