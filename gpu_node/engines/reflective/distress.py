"""Words that mean danger to life, and the calm answers to them, which are fixed: nothing is improvised here. Pure.

The listener says plainly that it cannot call anyone. Numbers are spoken: 119 일일구 (rescue), 112 일일이 (police),
109 일공구 (the suicide prevention line). What is told of long ago, or of a heart that aches for someone, is not an
emergency and is left to the listener's ordinary answers; in doubt it is one.
"""

from __future__ import annotations

import re
from enum import StrEnum

from gpu_node.engines import ReplyRequest
from streaming.messages import Language


class Danger(StrEnum):
    BODY = "body"
    FIRE = "fire"
    CRIME = "crime"
    DESPAIR = "despair"


_LONG_AGO_KO = re.compile(
    r"그때|옛날|예전|전쟁|육이오|피난|어릴|어렸|젊었|젊을|시절|작년|재작년|년전|달전|드라마|영화|뉴스"
    r"|텔레비전|연속극|소설|[었았했였]더?랬|[았었]었"
)
_PAST_END_KO = re.compile(
    r"(?:[았었였했팠졌났]지|[았었였했팠]지요|더라고?요?|대요|는데요?|거든요?|[았었였했팠](?:어|어요"
    r"|습니다|다|네|네요))$"
)
_FOR_SOMEONE_KO = re.compile(
    r"생각(?:하|만|나)|떠올|보고싶|그리|자식|불쌍|안쓰러|안타까|돌아가|마음|소식|이야기|보면|보니|볼때|보내"
)
_BODY_NOW_KO = re.compile(
    r"살려(?:줘|주세요|주이소|주소|주라|다오|도|줘요)|사람살려|구해줘|구해주세요"
    r"|숨(?:이|을|도|쉬기가?|쉬는게)*(?:잘|통|자꾸)*(?:안쉬|못쉬|안쉐|막[혀히]|가[빠쁘]|넘어가|차서(?:못"
    r"|죽|힘)|쉬기가?(?:힘|어려|곤란))|숨쉬기가?(?:힘|어려|곤란)"
    r"|못일어나(?:겠|고있)|일어나지(?:를|도)?못하겠|움직이(?:지|질)(?:를|도)?(?:못하겠|않아)|꼼짝(?:을|도)?못하겠"
    r"|쓰러(?:졌어|졌어요|졌습니다|질것|지겠|질거)|의식이?없|정신을?(?:잃|못차)|피(?:가|를)(?:안멈|많이나"
    r"|철철|쏟|계속나|토해|토했어)"
    r"|(?:한쪽|왼쪽|오른쪽)(?:팔|다리|얼굴|몸)(?:이|에|다리)*(?:안움직|마비|힘이(?:없|안|빠))"
    r"|말이(?:갑자기)?(?:안나와|어눌|꼬여)"
    r"|(?:구급차|앰뷸런스|일일구)(?:를|을|에|좀)*(?:불러|신고|전화)"
    r"|약을?(?:너무|한꺼번에|잘못)(?:많이)?먹었|심장이?(?:멎|멈|터질|너무(?:뛰|아파))"
)
_FIRE_NOW_KO = re.compile(
    r"(?:^|집에|부엌에|방에|여기|옆집에)불(?:이|도)?(?:났어|났다|났네|났구나|이야|나고있)|^불이야"
    r"|가스(?:가)?(?:새|냄새)"
)
_CRIME_NOW_KO = re.compile(
    r"도둑이(?:들었|들어왔|야)|^도둑이|강도(?:야|가들)|(?:누가|모르는사람이)(?:자꾸)?(?:문을(?:두드|열려"
    r"|따)|들어오려|들어왔)"
)
_CHEST_NOW_KO = re.compile(
    r"(?:가슴|심장|명치)(?:이|가|쪽이|한복판이|한가운데가)?(?:너무|많이|자꾸|계속|막|갑자기|꽉|엄청"
    r"|지금)*(?:아[파프픈]|조[여이]|쥐어짜|뻐근|눌[러리]|답답해(?:서)?(?:죽|숨))"
)
_DESPAIR_KO = re.compile(
    r"죽고(?:만|도)?싶|죽어버리고싶|죽었으면(?:좋|싶|해|하|만)|(?:빨리|얼른|그냥|차라리|이제"
    r"|내가)(?:죽어야|죽는게|죽으면|죽지)|죽어야(?:지|겠|하는데)|죽을란다|죽을래|콱죽"
    r"|살기(?:가|도)?싫|살고싶지(?:가|도|는)?않|더(?:는)?(?:못|안)살겠|그만살|살아서?뭐[하해]"
    r"|살면뭐[하해]|살이유|살필요|사라지고싶|없어지고싶|목숨을?끊|자살(?:하|할|을하)(?:고싶|려|까|래)"
    r"|뛰어내리고?싶|뛰어내릴|세상을?(?:뜨|등지)고싶|다끝내고싶"
)

_BODY_NOW_EN = re.compile(
    r"\bhelp me\b|\bsomebody help\b|\bcan'?t breathe\b|\bcannot breathe\b|\bhard to breathe\b"
    r"|\b(?:my )?chest (?:hurts|is hurting|is tight|pains?)\b|\bchest pain\b|\bheart attack\b"
    r"|\bhaving a stroke\b"
    r"|\bi(?:'ve| have)? (?:just )?fall(?:en)? (?:down )?and (?:i )?can'?t get up\b|\bcan'?t get up\b"
    r"|\bbleeding (?:a lot|badly)\b|\bcall (?:an ambulance|nine one one|911|119)\b|\bcan'?t move my\b"
    r"|\bunconscious\b|\bpassed out\b",
    re.IGNORECASE,
)
_FIRE_NOW_EN = re.compile(r"\bthere'?s a fire\b|\b(?:house|kitchen|room) is on fire\b|\bi smell gas\b", re.IGNORECASE)
_CRIME_NOW_EN = re.compile(r"\b(?:burglar|robber|someone is breaking in|somebody is breaking in)\b", re.IGNORECASE)
_DESPAIR_EN = re.compile(
    (
        r"\b(?:want|wish|rather) (?:to die|i (?:was|were) dead|be dead)\b|\bkill myself\b|\bend (?:it all"
        r"|my life)\b|\bdon'?t want to (?:live|be alive|go on)\b|\bno (?:reason|point) (?:to|in) liv(?:e"
        r"|ing)\b|\btired of living\b|\bbetter off dead\b"
    ),
    re.IGNORECASE,
)
_LONG_AGO_EN = re.compile(
    (
        r"\b(?:back then|years ago|when i was|in the war|during the war|used to|that time|in the film"
        r"|in the movie|on the news|last year)\b"
    ),
    re.IGNORECASE,
)

ANSWERS: dict[Language, dict[Danger, tuple[str, ...]]] = {
    "ko": {
        Danger.BODY: (
            ("많이 놀라셨지요, 제가 듣고 있어요. 지금 바로 일일구에 전화하시거나 가까이 계신 분을 불러"
            " 주세요. 저는 전화를 걸어 드릴 수 없는데, 곁에 누가 계세요?"),
            ("저는 여기 그대로 있어요. 일일구를 누르고 어디가 어떠신지 한마디만 하시면 돼요. 전화기를"
            " 잡으실 수 있으세요?"),
            ("편한 자세로 숨을 천천히 쉬어 보세요. 일일구에 아직 알리지 못하셨으면 지금 꼭 알려 주세요. 큰"
            " 소리로 옆 사람을 불러 보실 수 있으세요?"),
        ),
        Danger.FIRE: (
            "지금 바로 밖으로 나가 주세요. 나가신 다음에 일일구에 전화하셔야 해요. 나가실 수 있으세요?",
            "물건은 두고 몸부터 피하셔야 해요. 밖에서 일일구에 전화하시고 이웃을 불러 주세요. 지금 밖에 계세요?",
        ),
        Danger.CRIME: (
            ("문을 잠그고 안전한 곳에 계세요. 지금 바로 일일이에 전화하셔야 해요, 저는 걸어 드릴 수"
            " 없어요. 가까이에 부를 분이 계세요?"),
            "문은 열지 마시고 몸을 먼저 지키세요. 일일이에 전화하시면 경찰이 와요. 전화기를 잡으실 수 있으세요?",
        ),
        Danger.DESPAIR: (
            ("그렇게까지 힘드셨군요, 말씀해 주셔서 고마워요. 혼자 견디지 마시고 일공구에 전화하시면"
            " 밤낮없이 이야기를 들어 주는 분이 계세요. 지금 곁에 누가 계세요?"),
            ("그 마음을 저에게 꺼내 주셔서 고마워요. 가족분이나 일공구 상담 전화에 지금 마음을 꼭 이야기해"
            " 주세요. 누구 목소리를 들으면 마음이 조금 놓이세요?"),
            ("저는 이야기를 들을 수는 있지만 도와줄 사람은 따로 있어야 해요. 일공구에 전화하시면 지금 바로"
            " 사람이 받아요. 제가 듣고 있는 동안 전화를 걸어 보시겠어요?"),
        ),
    },
    "en": {
        Danger.BODY: (
            ("I am here with you. Please call your emergency number right now, one one nine in Korea, or"
            " call out to someone near. I cannot make the call myself, so is anyone with you?"),
            ("I am still here. Dial one one nine, and just say where you are and what hurts. Can you reach"
            " the telephone?"),
            ("Please stay still and as comfortable as you can. If nobody has been called yet, call one one"
            " nine now. Can you call out loudly to someone?"),
        ),
        Danger.FIRE: (
            "Please go outside right now. Call one one nine once you are out. Can you get to the door?",
            "Leave everything and get out first. Then call one one nine and wake the neighbors. Are you outside now?",
        ),
        Danger.CRIME: (
            ("Lock the door and stay somewhere safe. Please call the police now, one one two in Korea, for"
            " I cannot. Is anyone near whom you can call?"),
            ("Don't open the door, and keep yourself safe. The police answer at one one two in Korea. Can"
            " you reach the telephone?"),
        ),
        Danger.DESPAIR: (
            ("It must be very hard, and I am glad you told me. Please don't carry this alone: in Korea,"
            " one zero nine answers day and night. Is there someone with you now?"),
            ("Thank you for trusting me with that. Please tell someone close to you, or the helpline at"
            " one zero nine, how you feel. Whose voice would comfort you most?"),
            ("I can listen, but you deserve a person who can help. Someone will answer at one zero nine"
            " right now. Would you call while I am here?"),
        ),
    },
}  # fmt: skip


_STILL_KO = re.compile(r"없|혼자|몰라|모르겠|못|싫|안돼|안되|무서|아파|아프|힘들|죽|어떡|어떻게|안받|그냥")
_STILL_EN = re.compile(r"\b(?:no|nobody|no one|alone|can't|cannot|don't|not|hurts|scared|how)\b", re.IGNORECASE)
_WELL_KO = re.compile(r"괜찮|안아[파프픈]|불렀|왔어|오고있|오는중|전화했|걸었|나았|농담|살만")
_WELL_EN = re.compile(r"\b(?:i'm (?:fine|all right|ok|okay)|it's all right|called|coming|joking)\b", re.IGNORECASE)
_SHORT = {"ko": 14, "en": 40}
"""Syllables and characters of an answer to the question who is there; more is a new thing."""


def still_in_danger(request: ReplyRequest) -> Danger | None:
    """The danger that the last reply was about, where a short answer to it says that nothing is well: 아무도 없어."""
    language = request.context.language
    last = next((line.text for line in reversed(request.context.history) if line.role == "assistant"), "")
    short = len(re.sub(r"[^\w]" if language == "ko" else r"$", "", request.transcript)) <= _SHORT[language]
    still, well = (_STILL_KO, _WELL_KO) if language == "ko" else (_STILL_EN, _WELL_EN)
    said = re.sub(r"\s", "", request.transcript) if language == "ko" else request.transcript
    if not short or not still.search(said) or well.search(said):
        return None
    known = next((danger for danger, answers in ANSWERS[language].items() if last in answers), None)
    if known is not None:
        return known
    numbers = {"일공구": Danger.DESPAIR, "일일구": Danger.BODY}
    if language == "en":
        numbers = {"one zero nine": Danger.DESPAIR, "one one nine": Danger.BODY}
    return next((danger for number, danger in numbers.items() if number in last), None)


def danger_in(text: str, language: Language) -> Danger | None:
    """What `text` says is happening now, if it is a danger to life."""
    return _danger_ko(re.sub(r"[^가-힣]", "", text)) if language == "ko" else _danger_en(text)


def _danger_ko(squeezed: str) -> Danger | None:
    if _LONG_AGO_KO.search(squeezed):
        return None
    if _DESPAIR_KO.search(squeezed) and not re.search(r"고싶(?:었|다고|대)", squeezed):
        return Danger.DESPAIR
    if _FIRE_NOW_KO.search(squeezed):
        return Danger.FIRE
    if _CRIME_NOW_KO.search(squeezed):
        return Danger.CRIME
    if _BODY_NOW_KO.search(squeezed) and not re.search(r"살려(?:달라|주셨|줬)", squeezed):
        return Danger.BODY
    aches = _CHEST_NOW_KO.search(squeezed)
    if aches and not _FOR_SOMEONE_KO.search(squeezed) and not _PAST_END_KO.search(squeezed):
        return Danger.BODY
    return None


def _danger_en(text: str) -> Danger | None:
    if _LONG_AGO_EN.search(text):
        return None
    patterns = (
        (_DESPAIR_EN, Danger.DESPAIR),
        (_FIRE_NOW_EN, Danger.FIRE),
        (_CRIME_NOW_EN, Danger.CRIME),
        (_BODY_NOW_EN, Danger.BODY),
    )
    return next((danger for pattern, danger in patterns if pattern.search(text)), None)
