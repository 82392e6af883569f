// @ts-check
/**
 * What the page says about what is one's own to look through, take along and take away, in Korean (해요체) and English.
 */

export const MINE_KO = {
  language: /** @type {"ko" | "en"} */ ("ko"),
  yes: "네",
  no: "아니요",
  day: (/** @type {string} */ at) => new Date(at).toLocaleDateString("ko-KR", { dateStyle: "long" }),
  moment: (/** @type {string} */ at) =>
    new Date(at).toLocaleString("ko-KR", { dateStyle: "long", timeStyle: "short" }),
  uploaded: (/** @type {number} */ count) => `사진 ${count}장을 올렸어요.`,
  notUploaded: (/** @type {number} */ count, /** @type {string} */ names, /** @type {string} */ why) =>
    `${count}장은 올리지 못했어요 (${names}). ${why}`,
  madeOn: (/** @type {string} */ day) => `${day}에 만들었어요`,
  filmName: "영상 제목에 넣을 이름은 아래 ‘내 정보’에서 정하실 수 있어요.",
  reallyForget: "정말 잊을까요?",

  mineTitle: "내 정보",
  callMe: "복실이가 불러 드릴 이름",
  callMeHint: "영상 제목에도 이 이름이 들어가요.",
  callMePlaceholder: "예: 순자 할머니",
  save: "저장하기",
  saved: "저장했어요.",
  opening: "찾아보고 있어요.",

  myPhotos: "사진 지우기",
  noPhotos: "올리신 사진이 없어요.",
  remove: "지우기",
  photoFrom: (/** @type {string} */ day) => `${day}에 올리신 사진`,
  removeThis: (/** @type {string} */ what) => `지우기: ${what}`,
  reallyRemove: "정말 지울까요?",
  photoRemoved: "사진을 지웠어요.",

  myFilms: "영상과 보낸 주소",
  noFilms: "만드신 영상이 없어요.",
  unfinishedFilm: "만들지 못한 영상",
  removeFilm: "영상 지우기",
  filmRemoved: "영상을 지웠어요.",
  notShared: "가족에게 보낸 주소가 없어요.",
  link: (/** @type {string} */ made, /** @type {string} */ ends) => `${made}에 보낸 주소. ${ends}까지 볼 수 있어요.`,
  takeBack: "주소 거두기",
  takeBackAll: "모두 거두기",
  takeBackThis: (/** @type {string} */ what) => `거두기: ${what}`,
  reallyTakeBack: "이 주소로는 볼 수 없게 할까요?",
  takenBack: "이제 그 주소로는 볼 수 없어요.",

  myConsents: "허락하신 것",
  consents: {
    memories: {
      title: "나눈 이야기를 기억하기",
      hint: "다음에 이야기할 때 기억하고 있을게요. 그만두시면 사흘 뒤에 기억을 지워요.",
    },
    keep_voice: {
      title: "내 목소리를 간직하기",
      hint: "말씀하신 목소리를 녹음해 두어서, 추억 영상에 넣을 수 있어요.",
    },
    outside_services: {
      title: "바깥 인공지능에 보여 주기",
      hint: "나눈 이야기와 사진을 다른 회사의 인공지능에 보내서 대답을 들어요.",
    },
  },
  granted: "지금은 허락하셨어요.",
  notGranted: "지금은 허락하지 않으셨어요.",
  grant: "허락하기",
  withdraw: "그만두기",
  grantThis: (/** @type {string} */ what) => `허락하기: ${what}`,
  withdrawThis: (/** @type {string} */ what) => `그만두기: ${what}`,
  reallyWithdrawVoice: "간직한 목소리를 모두 지워요. 그만둘까요?",

  myTalks: "지난 이야기",
  noTalks: "나눈 이야기가 아직 없어요.",
  talkOf: (/** @type {string} */ moment, /** @type {number} */ turns) => `${moment}, ${turns}마디`,

  myExport: "내 이야기 모두 받기",
  exportHint: "나눈 이야기, 사진, 영상을 파일 하나(ZIP)로 모아 드려요.",
  exportMake: "모아 주세요",
  exportMaking: (/** @type {number} */ percent) => `모으고 있어요. (${percent}%)`,
  exportReady: (/** @type {string} */ ends) => `다 모았어요. ${ends}까지 받으실 수 있어요.`,
  exportOver: "전에 모은 것은 이제 없어요. 다시 모아 드릴까요?",
  exportFailed: "모으지 못했어요. 다시 모아 드릴까요?",
  exportFetch: "내려받기",

  leave: "계정 지우기",
  leaveHint: "사진, 영상, 나눈 이야기, 기억까지 모두 지워요. 지운 것은 되돌릴 수 없고, 보내신 주소로도 볼 수 없게 돼요.",
  leaveAsk: "정말 지우시려면 ‘모두 지우기’라고 써 주세요.",
  leaveWord: "모두 지우기",
  leaveDo: "계정 지우기",
  leaveNotYet: "‘모두 지우기’라고 쓰신 뒤에 눌러 주세요.",
  left: "모두 지우고 있어요. 그동안 함께해 주셔서 고맙습니다.",
};

/** @type {typeof MINE_KO} */
export const MINE_EN = {
  language: "en",
  yes: "Yes",
  no: "No",
  day: (at) => new Date(at).toLocaleDateString("en-GB", { dateStyle: "long" }),
  moment: (at) => new Date(at).toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" }),
  uploaded: (count) => (count === 1 ? "One photo is uploaded." : `${count} photos are uploaded.`),
  notUploaded: (count, names, why) => `${count} could not be uploaded (${names}). ${why}`,
  madeOn: (day) => `Made on ${day}`,
  filmName: "The name in its title can be set below, under “About me”.",
  reallyForget: "Really forget it?",

  mineTitle: "About me",
  callMe: "What I shall call you",
  callMeHint: "It also stands in the titles of your videos.",
  callMePlaceholder: "Such as: Grandma Sunja",
  save: "Save",
  saved: "Saved.",
  opening: "Looking.",

  myPhotos: "Delete photos",
  noPhotos: "You have uploaded no photos.",
  remove: "Delete",
  photoFrom: (day) => `Photo uploaded on ${day}`,
  removeThis: (what) => `Delete: ${what}`,
  reallyRemove: "Really delete it?",
  photoRemoved: "The photo is deleted.",

  myFilms: "Videos and links",
  noFilms: "You have no videos.",
  unfinishedFilm: "A video that could not be made",
  removeFilm: "Delete the video",
  filmRemoved: "The video is deleted.",
  notShared: "No link was sent to the family.",
  link: (made, ends) => `Link of ${made}, good until ${ends}.`,
  takeBack: "Take it back",
  takeBackAll: "Take all back",
  takeBackThis: (what) => `Take back: ${what}`,
  reallyTakeBack: "Shall it open nothing any more?",
  takenBack: "That link opens nothing any more.",

  myConsents: "What I agreed to",
  consents: {
    memories: {
      title: "Remember what I tell",
      hint: "I know it when we talk again. If you stop it, what I remember is deleted after three days.",
    },
    keep_voice: {
      title: "Keep my voice",
      hint: "What you say is recorded, so that a video can have your own voice.",
    },
    outside_services: {
      title: "Show it to outside services",
      hint: "What you tell and your photos are sent to another company's language model, which answers.",
    },
  },
  granted: "You agreed to this.",
  notGranted: "You have not agreed to this.",
  grant: "Agree",
  withdraw: "Stop it",
  grantThis: (what) => `Agree: ${what}`,
  withdrawThis: (what) => `Stop: ${what}`,
  reallyWithdrawVoice: "All recordings of your voice are deleted. Stop it?",

  myTalks: "Earlier conversations",
  noTalks: "There are none yet.",
  talkOf: (moment, turns) => `${moment}, ${turns} ${turns === 1 ? "turn" : "turns"}`,

  myExport: "Take everything along",
  exportHint: "What you told, your photos and videos, in one file (ZIP).",
  exportMake: "Put it together",
  exportMaking: (percent) => `It is being put together (${percent} %).`,
  exportReady: (ends) => `It is ready, until ${ends}.`,
  exportOver: "The earlier one is gone. Shall it be put together again?",
  exportFailed: "It could not be put together. Shall I try again?",
  exportFetch: "Download",

  leave: "Delete my account",
  leaveHint: "Photos, videos, conversations and memories are all deleted, for good. Links that you sent open nothing any more.",
  leaveAsk: "If you are sure, write “delete everything”.",
  leaveWord: "delete everything",
  leaveDo: "Delete my account",
  leaveNotYet: "Please write “delete everything” first.",
  left: "Everything is being deleted. Thank you for the time together.",
};
