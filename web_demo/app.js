// @ts-check
/**
 * The page: buttons, language, notices and the puppy's face. What is said happens in `conversation.js`.
 */

import { account } from "./account.js";
import { Refused, ask } from "./asking.js";
import { Awake } from "./awake.js";
import { Conversation } from "./conversation.js";
import { forgetTalk, keepTalk, keptTalk } from "./kept-talk.js";
import { comeBack, door } from "./login.js";
import { MicrophoneError } from "./microphone.js";
import { Patience } from "./patience.js";
import { Backoff } from "./resume.js";
import { Things } from "./things.js";
import { WORDS, troubleWords } from "./words.js";

const LANGUAGE_KEY = "silvertalk.language";
/** How long good news stays on the page. */
const GOOD_NEWS_MS = 6_000;
/** Sound that was allowed wakes within this. */
const WAKING_MS = 1_000;
/** Models that are no longer than this in coming are waited for. */
const MODELS_MS = 300_000;

/** @typedef {import("./words.js").Language} Language */

/** @param {string} id @returns {HTMLElement} */
const by = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const field = /** @type {HTMLInputElement} */ (by("typed"));

/** @type {Language} */
let language = rememberedLanguage();
/** @type {Conversation | null} */
let conversation = null;
let starting = false;
const NOTHING_WANTED = { photo: "", language: "", session: "" };
/** The photo that somebody chose, while there is no conversation about it yet. */
let wanted = NOTHING_WANTED;
const awake = new Awake();
const patience = new Patience(by("patience"), (factor) => conversation?.waitFor(factor));
const things = new Things({
  words: () => WORDS[language],
  choose: (photo) => void start({ microphone: true, photo: photo.id }),
  complain(error) {
    tell((now) => troubleWords(now, error));
    if (error.code === "unreachable") unreachable = notice;
  },
  well() {
    if (notice !== null && notice === unreachable) clearNotice();
  },
});
/** Whom the person was told to call, until they close that. @type {{kind: string, number: string} | null} */
let distress = null;
/** What the notice says, so that it can be said again in the other language. @type {((language: Language) => string) | null} */
let notice = null;
/** The notice that the server could not be reached, which goes as soon as it can. @type {typeof notice} */
let unreachable = null;
let noticeTimer = 0;
/** @type {keyof typeof WORDS.ko.floor} */
let floor = "asleep";

// --- words -----------------------------------------------------------------------------------------------------------

/** @param {Language} chosen */
function speak(chosen) {
  language = chosen;
  const words = WORDS[language];
  document.documentElement.lang = language;
  document.title = words.title;
  for (const [attribute, put] of /** @type {const} */ ([
    ["data-words", (/** @type {HTMLElement} */ e, /** @type {string} */ w) => (e.textContent = w)],
    ["data-label", (/** @type {HTMLElement} */ e, /** @type {string} */ w) => (e.ariaLabel = w)],
    ["data-alt", (/** @type {HTMLImageElement} */ e, /** @type {string} */ w) => (e.alt = w)],
    ["data-placeholder", (/** @type {HTMLInputElement} */ e, /** @type {string} */ w) => (e.placeholder = w)],
  ])) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      const name = /** @type {keyof typeof words} */ (element.getAttribute(attribute));
      if (name in words) put(/** @type {any} */ (element), /** @type {string} */ (words[name]));
    }
  }
  by("to-ko").ariaPressed = String(language === "ko");
  by("to-en").ariaPressed = String(language === "en");
  by("floor").textContent = floorWords();
  things.draw();
  if (notice !== null) by("notice-words").textContent = notice(language);
  showAccount();
  if (distress !== null) sayDistress(distress);
}

function floorWords() {
  const words = WORDS[language];
  return floor === "open" && conversation?.listening === false ? words.typedOnly : words.floor[floor];
}

/** @param {Language} chosen */
function choose(chosen) {
  if (chosen === language) return;
  speak(chosen);
  try {
    localStorage.setItem(LANGUAGE_KEY, chosen);
  } catch {
    // Storage may be forbidden; then it is Korean again next time.
  }
  if (conversation !== null) tell((now) => WORDS[now].languageLater, { fleeting: true });
}

/** @returns {Language} */
function rememberedLanguage() {
  try {
    return localStorage.getItem(LANGUAGE_KEY) === "en" ? "en" : "ko";
  } catch {
    return "ko";
  }
}

// --- notices ---------------------------------------------------------------------------------------------------------

/**
 * @param {(language: Language) => string} words
 * @param {{retry?: boolean, typing?: boolean, film?: boolean, goOn?: boolean, fleeting?: boolean}} [options] which
 *     buttons; whether it goes by itself
 */
function tell(words, { retry = false, typing = false, film = false, goOn = false, fleeting = false } = {}) {
  clearNotice();
  notice = words;
  by("notice").hidden = false;
  by("notice-words").textContent = words(language);
  by("retry").hidden = !retry;
  by("start-typing").hidden = !typing;
  by("film-now").hidden = !film;
  by("go-on").hidden = !goOn;
  by("notice").scrollIntoView({ block: "nearest" });
  if (fleeting) noticeTimer = setTimeout(clearNotice, GOOD_NEWS_MS);
}

function clearNotice() {
  clearTimeout(noticeTimer);
  noticeTimer = 0;
  notice = null;
  by("notice").hidden = true;
  by("notice-words").textContent = "";
}

/** @param {import("./connection.js").Trouble} trouble @returns {(language: Language) => string} */
function wordsOf(trouble) {
  if (trouble.code === "microphone_gone") return (now) => WORDS[now].microphoneGone;
  if (trouble.code === "reconnecting") {
    const listening = conversation?.listening ?? false;
    return (now) => (listening ? WORDS[now].reconnecting : WORDS[now].reconnectingTyped);
  }
  return (now) => troubleWords(now, trouble);
}

// --- who one is ------------------------------------------------------------------------------------------------------

/** Who is logged in, or how to be. A guest needs neither. */
function showAccount() {
  by("account").hidden = !account.loggedIn && !account.possible;
  by("who").hidden = by("log-out").hidden = !account.loggedIn;
  by("kakao").hidden = account.loggedIn;
  by("pretended").hidden = !account.pretended;
  by("who").textContent = account.loggedIn ? WORDS[language].greeting(account.nickname) : "";
}

/** What happens with a login may fail; then it is said. @param {() => Promise<void>} doing */
async function asAccount(doing) {
  try {
    await doing();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell((now) => troubleWords(now, error));
  }
}

async function arrive() {
  const how = await comeBack();
  if (how === "in") tell((now) => WORDS[now].loggedIn, { fleeting: true });
  if (how === "declined") tell((now) => WORDS[now].notLoggedIn, { fleeting: true });
}

async function depart() {
  await account.logOut();
  door.forgetToken();
  forgetTalk();
  things.change();
  tell((now) => WORDS[now].loggedOut, { fleeting: true });
}

// --- a call for help -------------------------------------------------------------------------------------------------

/** @param {{kind: string, number: string}} told */
function sayDistress({ kind, number }) {
  const words = WORDS[language];
  by("distress-words").textContent = kind === "despair" ? words.distress.despair : words.distress.emergency;
  by("call").textContent = words.call(number);
}

/** Shown until it is closed; the conversation goes on beside it. @param {{kind: string, number: string}} told */
function showDistress(told) {
  if (!/^\+?[0-9]{2,15}$/.test(told.number)) return; // nothing but a number is ever dialled
  distress = told;
  /** @type {HTMLAnchorElement} */ (by("call")).href = `tel:${told.number}`;
  by("distress").hidden = false;
  sayDistress(told);
  // It covers what stood there, once it is laid out: what was said with it is to be seen beside it.
  requestAnimationFrame(() => conversation?.showNewest());
}

function closeDistress() {
  distress = null;
  by("distress").hidden = true;
  by("distress-words").textContent = "";
}

// --- the conversation ------------------------------------------------------------------------------------------------

/** @type {import("./conversation.js").View} */
const view = {
  showFloor(state) {
    floor = state;
    by("face").dataset.floor = state;
    by("floor").textContent = floorWords();
    allow();
  },
  showTrouble: (trouble) => tell(wordsOf(trouble)),
  showBack: clearNotice,
  showResumed: (anew) => tell((now) => (anew ? WORDS[now].anew : WORDS[now].back), { fleeting: true }),
  showWell: () => {
    if (noticeTimer === 0 && notice !== muted) clearNotice();
  },
  showPatience: (factor) => patience.showKept(factor),
  showLevel(level) {
    by("level").style.setProperty("--level", level.toFixed(2));
    by("level").ariaValueNow = String(Math.round(100 * level));
  },
  showDucked: (ducked) => by("face").toggleAttribute("data-ducked", ducked),
  showDistress,
  showVoice: (level) => by("face").style.setProperty("--voice", level.toFixed(2)),
  giveBack(text) {
    if (field.value === "") field.value = text;
  },
  keep(text) {
    if (field.value === text) field.value = "";
  },
  showUnsent(text) {
    by("unsent").hidden = text === "";
    by("unsent-text").textContent = text;
    if (text !== "" && field.value === text) field.value = "";
    allow();
  },
  showPhoto({ url }) {
    by("shown").hidden = url === "";
    if (url === "") by("shown-photo").removeAttribute("src");
    else /** @type {HTMLImageElement} */ (by("shown-photo")).src = url;
  },
  showEnd(why) {
    const film = conversation?.makesFilm ?? false;
    things.ended(film ? (conversation?.session ?? "") : "");
    conversation = null;
    forgetTalk();
    view.showPhoto({ photo: "", url: "" });
    awake.end();
    document.body.dataset.view = "welcome";
    view.showVoice(0);
    view.showDucked(false);
    view.showLevel(0);
    floor = "asleep";
    by("face").dataset.floor = floor;
    by("floor").textContent = floorWords();
    if (why !== null) tell(wordsOf(why), { film });
    else if (film) tell((now) => WORDS[now].ended, { film });
    else tell((now) => WORDS[now].ended, { fleeting: true });
    by(film ? "film-now" : "start").focus();
  },
};

/** A link to a photo grows old within minutes, and a page that goes on with a conversation may have an old one. */
async function renewShown() {
  const shown = conversation?.kept?.shown ?? null;
  const image = /** @type {HTMLImageElement} */ (by("shown-photo"));
  if (shown === null || image.dataset.renewed === shown.photo) return;
  image.dataset.renewed = shown.photo;
  await asAccount(async () => {
    const { s3_url } = await door.ask(`/photos/${shown.photo}`);
    image.src = s3_url;
  });
}

/** Which buttons may be used now. They stay where they are, and keep the focus. */
function allow() {
  by("commit").ariaDisabled = String(!conversation?.mayCommit);
  by("cancel").ariaDisabled = String(!conversation?.mayCancel);
  by("send").ariaDisabled = String(!conversation?.mayType);
}

/**
 * @param {{microphone: boolean, photo?: string, earlier?: import("./kept-talk.js").KeptTalk | null}} options
 *     `photo`: the one to talk about; `earlier`: the conversation to go on with
 */
async function start({ microphone, photo = "", earlier = null }) {
  if (starting || conversation !== null) return;
  starting = true;
  clearNotice();
  by("start").ariaDisabled = "true";
  try {
    if (microphone && earlier === null) await untilAwake();
    await begin(microphone, photo, earlier);
  } catch (error) {
    if (error instanceof Refused) {
      tell((now) => troubleWords(now, error));
    } else if (error instanceof MicrophoneError) {
      const { code } = error;
      tell((now) => troubleWords(now, { code }), { retry: code !== "not_secure", typing: true });
      by(code === "not_secure" ? "start-typing" : "retry").focus();
    } else {
      console.error(error);
      tell((now) => WORDS[now].trouble.no_audio);
    }
  } finally {
    starting = false;
    by("start").ariaDisabled = null;
  }
}

/** @param {Language} now */
const waking = (now) => WORDS[now].waking;

/** Whether somebody is there to answer. Where it cannot be asked, as behind a proxy, the conversation will tell. */
async function isAwake() {
  try {
    await ask("/readyz", null);
  } catch (error) {
    return !(error instanceof Refused && error.code === "http_503");
  }
  return true;
}

/** While models warm up nothing that is said would be heard, so the microphone stays closed and the person is told. */
async function untilAwake() {
  const waits = new Backoff();
  const latest = performance.now() + MODELS_MS;
  while (!(await isAwake()) && performance.now() < latest) {
    if (notice !== waking) tell(waking);
    await new Promise((resolve) => setTimeout(resolve, waits.next()));
  }
  if (notice === waking) clearNotice();
}

/** @param {boolean} microphone @param {string} photo @param {import("./kept-talk.js").KeptTalk | null} earlier */
async function begin(microphone, photo, earlier) {
  const context = new AudioContext({ latencyHint: "interactive" });
  try {
    await Promise.all(
      ["microphone-worklet.js", "player-worklet.js"].map((name) =>
        context.audioWorklet.addModule(new URL(name, import.meta.url).href),
      ),
    );
    by("turns").replaceChildren();
    const places = { list: by("turns"), end: by("story-end"), announcer: by("announcer") };
    const words = WORDS[language];
    const reserved = await reserve(photo);
    const begun = new Conversation(context, places, {
      language: earlier?.language ?? language,
      words,
      patience: patience.factor,
      view,
      reserved,
      earlier,
    });
    if (microphone) await begun.listen();
    conversation = begun;
    wanted = NOTHING_WANTED;
  } catch (error) {
    void context.close();
    throw error;
  }
  keepSounding(context);
  awake.begin();
  document.body.dataset.view = "talk";
  by("story").classList.add("told");
  by("level").classList.toggle("off", !microphone);
  by(microphone ? "commit" : "typed").focus();
  conversation.start();
  conversation.showNewest();
}

/** The conversation about a photo; the same one when it is tried again. Throws Refused. @param {string} photo */
async function reserve(photo) {
  if (photo === "") wanted = NOTHING_WANTED;
  else if (wanted.photo !== photo || wanted.language !== language) {
    const { session_id } = await door.ask("/chat/sessions", { photo_id: photo, language });
    wanted = { photo, language, session: session_id };
  }
  return wanted.session;
}

/** A browser may put the sound to sleep until the page is touched. @param {AudioContext} context */
function keepSounding(context) {
  const wake = () => void context.resume();
  const look = () => {
    if (context.state === "running" && notice === muted) clearNotice();
    if (context.state === "running" || context.state === "closed") return;
    tell(muted);
    addEventListener("pointerdown", wake, { once: true });
    addEventListener("keydown", wake, { once: true });
  };
  wake();
  setTimeout(() => {
    context.onstatechange = look;
    look();
  }, WAKING_MS);
}

/** @param {Language} now */
const muted = (now) => WORDS[now].muted;

/** @param {SubmitEvent} submitted */
function sendTyped(submitted) {
  submitted.preventDefault();
  const text = field.value.trim();
  if (text === "" || conversation === null) return;
  if (conversation.type(text)) field.value = "";
  else tell((now) => WORDS[now].oneAtATime, { fleeting: true });
}

// --- a page that is loaded anew --------------------------------------------------------------------------------------

/** Who closes the page may come back, and it may be loaded anew by a slip of the thumb: no good-bye is said. */
function keep() {
  const kept = conversation?.kept ?? null;
  if (kept !== null) keepTalk(kept);
}

/** A conversation that broke off here is gone on with where the person wants it: a browser asks for a touch anyway. */
function offerToGoOn() {
  const kept = keptTalk();
  if (kept === null) return;
  const { late, makesFilm } = kept;
  if (makesFilm) things.ended(kept.session);
  tell((now) => (late ? WORDS[now].brokeOff : WORDS[now].brokeOffJustNow), { goOn: !late, film: makesFilm });
  if (late) forgetTalk();
  else by("go-on").focus();
}

function goOn() {
  const earlier = keptTalk();
  if (earlier !== null) void start({ microphone: earlier.listening, earlier });
}

/** What is said stays clear of what stands fast above and below it. */
function watchHeights() {
  const watch = (/** @type {string} */ name) =>
    new ResizeObserver(([{ target }]) => {
      const { height } = target.getBoundingClientRect();
      document.documentElement.style.setProperty(name, `${Math.ceil(height)}px`);
    });
  watch("--foot").observe(by("foot"));
  watch("--stage").observe(by("stage"));
}

by("to-ko").onclick = () => choose("ko");
by("to-en").onclick = () => choose("en");
by("start").onclick = () => void start({ microphone: true });
by("retry").onclick = () => void start({ microphone: true, photo: wanted.photo });
by("start-typing").onclick = () => void start({ microphone: false, photo: wanted.photo });
by("commit").onclick = () => conversation?.commit();
by("cancel").onclick = () => conversation?.cancel();
by("bye").onclick = () => conversation?.leave();
by("dismiss").onclick = closeDistress;
by("kakao").onclick = () => void asAccount(() => account.begin());
by("log-out").onclick = () => void asAccount(depart);
by("typing").onsubmit = sendTyped;
by("go-on").onclick = goOn;
by("film-now").onclick = () => {
  clearNotice();
  by("make-film").click();
};
addEventListener("pagehide", keep);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") keep(); // a phone may end the page without another word
});
by("shown-photo").onerror = () => void renewShown();
document.body.toggleAttribute("data-details", new URLSearchParams(location.search).has("details"));
watchHeights();
account.onChange = showAccount;
speak(language);
void account.look();
// What is whose is known once it is known who came.
void asAccount(arrive).then(() => {
  void things.load();
  offerToGoOn();
});
