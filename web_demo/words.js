// @ts-check
/**
 * Everything the page says, in Korean (해요체) and English.
 */

/** @typedef {"ko" | "en"} Language */

const KO = {
  title: "실버톡 · 복실이와 이야기해요",
  skip: "이야기로 바로 가기",
  switch: "언어",
  puppy: "강아지 복실이의 얼굴",
  hello: "안녕하세요, 복실이예요.",
  invitation: "오늘 있었던 일도, 오래된 추억도 좋아요. 천천히 말씀하시면 제가 잘 들을게요.",
  privacy: "시작하시면 마이크를 써도 되는지 여쭤봐요. 이야기하시는 동안에만 소리를 들어요.",
  start: "이야기 시작",
  startTyping: "글로 이야기하기",
  retry: "다시 해 보기",
  commit: "다 말했어요",
  cancel: "그만",
  bye: "끝내기",
  type: "글로 쓰셔도 돼요",
  typePlaceholder: "여기에 써 주세요",
  send: "보내기",
  level: "마이크 소리 크기",
  story: "나눈 이야기",
  hint: "어릴 적 살던 동네, 좋아하시던 음식, 오늘 하루. 무엇이든 편하게 말씀해 주세요.",
  you: "나",
  dog: "복실이",
  interruptedAfter: "여기까지 말했어요",
  unanswered: "이 말씀에는 대답을 못 했어요.",
  details: "자세히",
  answered: (/** @type {string} */ s) => `자세히 · 대답까지 ${s}초`,
  seconds: (/** @type {string} */ s) => `${s}초`,
  fromEnd: "말씀이 끝난 때부터 잰 시간이에요.",
  server: "서버가 잰 시간",
  marks: {
    endpoint: "말씀이 끝난 것을 알았어요",
    final: "말씀을 글로 다 옮겼어요",
    text: "대답의 첫 문장이 나왔어요",
    audio: "대답의 첫 소리가 도착했어요",
    played: "첫 소리를 들려 드렸어요",
  },
  waited: (/** @type {string} */ s) => `그중 말씀을 기다린 시간 ${s}초`,
  floor: {
    asleep: "쉬고 있어요",
    waking: "일어나고 있어요",
    open: "말씀하세요, 듣고 있어요",
    user: "듣고 있어요",
    paused: "천천히 말씀하세요",
    thinking: "생각하고 있어요",
    speaking: "말하고 있어요",
    lost: "다시 잇고 있어요",
  },
  typedOnly: "글로 써 주세요",
  reconnecting: "연결이 끊겨서 다시 잇고 있어요. 하시던 말씀은 10초까지 간직하고 있어요.",
  reconnectingTyped: "연결이 끊겨서 다시 잇고 있어요. 잠시만 기다려 주세요.",
  back: "다시 이어졌어요.",
  anew: "다시 이어졌어요. 새 이야기로 시작할게요.",
  ended: "오늘 이야기 즐거웠어요. 또 만나요.",
  microphoneGone: "마이크가 빠졌어요. 글로 쓰시거나, 마이크를 꽂고 다시 시작해 주세요.",
  muted: "소리가 잠들어 있어요. 화면을 한 번 눌러 주세요.",
  languageLater: "다음 이야기부터 한국어로 말해요.",
  trouble: {
    microphone_refused:
      "마이크를 쓸 수 없게 되어 있어요. 주소창 옆의 자물쇠나 마이크 그림을 눌러 ‘허용’으로 바꾸신 뒤 다시 해 주세요.",
    microphone_missing: "마이크를 찾지 못했어요. 마이크가 꽂혀 있는지 보시고 다시 해 주세요.",
    microphone_busy: "다른 프로그램이 마이크를 쓰고 있나 봐요. 그 프로그램을 끄고 다시 해 주세요.",
    not_secure: "이 주소에서는 마이크를 쓸 수 없어요. ‘https’로 시작하는 주소로 들어와 주세요. 글로는 이야기하실 수 있어요.",
    no_audio: "이 브라우저에서는 소리를 낼 수 없어요. 새 브라우저로 다시 해 주세요.",
    unreachable: "복실이가 있는 곳에 닿지 않아요. 인터넷이 되는지 보아 주세요. 저도 계속 찾아볼게요.",
    offline: "인터넷이 끊겼어요. 인터넷이 되면 바로 이어 드릴게요.",
    server_full: "지금은 이야기 나누는 분이 많아요. 자리가 나면 바로 이어 드릴게요.",
    address_full: "같은 곳에서 이야기 나누는 분이 많아요. 자리가 나면 바로 이어 드릴게요.",
    draining: "잠깐 다시 연결할게요. 조금만 기다려 주세요.",
    session_replaced: "다른 창이나 다른 기기에서 이야기를 시작하셨어요. 여기서 이어 가시려면 다시 시작해 주세요.",
    no_node: "복실이가 아직 준비 중이에요. 조금만 기다려 주세요.",
    wrong_order: "지금은 받을 수 없었어요. 대답이 끝난 뒤에 다시 해 주세요.",
    other: "잠시 문제가 생겼어요. 조금 뒤에 다시 해 주세요.",
  },
};

/** @type {typeof KO} */
const EN = {
  title: "SilverTalk · Talk with Boksil",
  skip: "Skip to the conversation",
  switch: "Language",
  puppy: "The face of Boksil, a puppy",
  hello: "Hello, I am Boksil.",
  invitation: "Tell me about today, or about long ago. Take your time; I listen well.",
  privacy: "When you start, your browser asks whether I may use the microphone. I only listen while we talk.",
  start: "Start talking",
  startTyping: "Talk by typing",
  retry: "Try again",
  commit: "I have finished",
  cancel: "Stop",
  bye: "End",
  type: "You may type, too",
  typePlaceholder: "Write here",
  send: "Send",
  level: "Loudness of the microphone",
  story: "What was said",
  hint: "Where you grew up, what you liked to eat, how today went. Tell me whatever you like.",
  you: "You",
  dog: "Boksil",
  interruptedAfter: "stopped here",
  unanswered: "This was left without an answer.",
  details: "Details",
  answered: (s) => `Details · answered in ${s} s`,
  seconds: (s) => `${s} s`,
  fromEnd: "Measured from the end of your words.",
  server: "As the server measured",
  marks: {
    endpoint: "knew that you had finished",
    final: "had all your words written down",
    text: "first sentence of the reply",
    audio: "first sound of the reply arrived",
    played: "first sound was played",
  },
  waited: (s) => `of which ${s} s waiting for more words`,
  floor: {
    asleep: "resting",
    waking: "waking up",
    open: "Go ahead, I am listening",
    user: "listening",
    paused: "take your time",
    thinking: "thinking",
    speaking: "speaking",
    lost: "reconnecting",
  },
  typedOnly: "Please write to me",
  reconnecting: "The connection broke, and is being mended. The last 10 seconds of your words are kept.",
  reconnectingTyped: "The connection broke, and is being mended. One moment, please.",
  back: "We are connected again.",
  anew: "We are connected again, with a new conversation.",
  ended: "It was good to talk with you. See you again.",
  microphoneGone: "The microphone is gone. You may type, or plug it in and start again.",
  muted: "The sound is asleep. Please touch the screen once.",
  languageLater: "From the next conversation on we speak English.",
  trouble: {
    microphone_refused:
      "I am not allowed to use the microphone. Press the lock or the microphone beside the address, choose “Allow”, and try again.",
    microphone_missing: "I found no microphone. Please see whether one is plugged in, and try again.",
    microphone_busy: "Another program seems to use the microphone. Please close it and try again.",
    not_secure: "At this address the microphone cannot be used. Please come in by one that begins with “https”. Typing works here.",
    no_audio: "This browser cannot play sound. Please use a newer one.",
    unreachable: "I cannot be reached. Please see whether the internet works. I keep trying, too.",
    offline: "The internet is gone. As soon as it is back we go on.",
    server_full: "Many people are talking now. As soon as there is room you come in.",
    address_full: "Many people are talking from your address. As soon as there is room you come in.",
    draining: "I am reconnecting. One moment, please.",
    session_replaced: "You started a conversation in another window or on another device. To go on here, start again.",
    no_node: "I am still getting ready. One moment, please.",
    wrong_order: "This could not be taken now. Please try again after the answer.",
    other: "Something went wrong. Please try again in a little while.",
  },
};

/** @type {Record<Language, typeof KO>} */
export const WORDS = { ko: KO, en: EN };

/**
 * What to say about something that went wrong: our own words, else the server's for the person.
 * @param {Language} language
 * @param {{code: string, messageKo?: string, messageEn?: string}} trouble
 */
export function troubleWords(language, { code, messageKo, messageEn }) {
  const own = /** @type {Record<string, string>} */ (WORDS[language].trouble);
  return own[code] ?? ((language === "ko" ? messageKo : messageEn) || own.other);
}
