"""Requests about the speech itself, which are obeyed from what was said and need no language model. Pure.

The whole utterance must be the request: calling the puppy, sighs and politeness aside, nothing else may be in it.
`다시 말해서 그때가 제일 좋았지` is a story that begins with "in other words". Where somebody asks for two things at
once (`못 들었어, 크게 말해줘`), the one that changes the voice counts.
"""

from __future__ import annotations

import re
from typing import Literal

from silvertalk.korean_sounds import sound_pattern, sounds
from silvertalk.unambiguous import repeatable
from streaming.messages import Language
from streaming.text import normalized

Request = Literal["repeat", "slower", "faster", "louder", "softer"]
"""What is asked for: the last reply again, or another way of speaking from now on."""
LONGEST_REQUEST = 80
"""Characters. Nobody asks at more length. Where several rows of polite words meet in one form, every place where one
may end and the next begin is tried: without a bound one typed text would hold up everybody's gateway."""


def repair_in(text: str, language: Language) -> Request | None:
    """The request that `text`, one utterance as it was transcribed, is; None where it is anything more or else."""
    if len(text) > LONGEST_REQUEST:
        return None
    requests: list[Request] = []
    for clause in re.split(r"[.,?!…\n]+", text):
        if not normalized(clause):
            continue
        request = _korean(clause) if language == "ko" else _english(clause)
        if request is None:
            return None
        if request != "aside":
            requests.append(request)
    return next((request for request in requests if request != "repeat"), requests[0] if requests else None)


def _korean(clause: str) -> Request | Literal["aside"] | None:
    if _KO_OTHER_WORDS.search(clause):
        return None
    said = sounds(clause).sounds
    if _KO_ASIDE.fullmatch(said):
        return "aside"
    return next((request for request, pattern in _KO if pattern.fullmatch(said)), None)


def _english(clause: str) -> Request | Literal["aside"] | None:
    said = normalized(clause)
    if _EN_ASIDE.fullmatch(said):
        return "aside"
    return next((request for request, pattern in _EN if pattern.fullmatch(said)), None)


# --- Korean: over sounds, so spaces and spelling do not matter -------------------------------------------------------

_CALLING = (
    "(복실아|복실이|복실이야|강아지야|멍멍아|얘야|얘|야|여보세요|저기|저기요|있잖아|응|어|아|음|아이고|아이구|에구"
    "|근데|그런데|아니|잠깐|잠깐만|잠깐만요|"
    "미안|미안한데|미안하지만|미안해|죄송한데|죄송하지만|죄송해요|죄송합니다|내가귀가어두워서|귀가어두워서|귀가먹어서"
    "|내가|나|제가|방금|지금|아까|제발)*"
)
_AFTER = "(응|좀|요|부탁해|부탁해요|부탁합니다|고마워|복실아|알았지|알겠지)?"
_MORE = (
    "(좀|조금|조금만|쪼금|쪼매|쪼매만|쪼깨|쪼까|더|좀더|아주|한번|한번만|다시"
    "|말|말을|말씀|말씀을|목소리|목소리를|소리|소리를)*"
)
_GIVE = (
    "(줘|줘요|주세요|주라|주실래요|주실래|주시겠어요|주겠니|주겠어|줄래|줄래요|다오|도|도고|주이소|주소|주시오"
    "|주십시오|줄수있어|줄수있어요|주면좋겠어|"
    "주면안돼|봐|봐요|봐라|보세요|보이소|보소|보시오|쇼|라|라이|라니까|달라고|달라니까|야지|줬으면좋겠어|주면안될까"
    "|주면안되겠니)?(요|잉|이)?"
)
_TELL = f"((말|말씀|말쓰메|얘기|이야기)(을|를)?(좀)?(해|하|혀|허)|읽어|들려|말){_GIVE}"
_NOT_HEARD = "(어|어요|네|네요|다|습니다|는데|는데요|구나|당께|다카이|심더|제)"

_KO_OTHER_WORDS = re.compile(r"그게|어머|멋|무슨\s*말\W*$")
"""What sounds like a request once folded (크게, 머, 뭣), and is none."""
_KO_ASIDE = sound_pattern(f"{_CALLING}(부탁해|부탁해요|부탁합니다|고마워|고마워요)?")
_KO_FORMS: tuple[tuple[Request, tuple[str, ...]], ...] = (
    (
        "slower",
        (
            f"{_MORE}(천천히|천처니|느리게|느릿느릿|찬찬히|싸목싸목)({_TELL}|해{_GIVE})?",
            "(말|말이|말씀이|얘기가|니말이|너무|좀|조금|참)+(빨라|빠르다|빠르네|빠릅니다|빨라요|빠르구나|빨러)(요"
            "|서못알아듣겠어|서못듣겠어|서모르겠어|서못알아듣겠어요)?",
            "(너무)?빨리(말하지마|말하지마라|말하지말아|말하지말고천천히말해)(요|줘|줘요|주세요)?",
        ),
    ),
    (
        "faster",
        (
            f"{_MORE}(빨리|빠르게|얼른얼른|속도를내서){_TELL}",
            "(좀)?(더|조금더|좀더)(빨리|빠르게)(해줘|해주세요|해라|해)?",
            "(말|말이|말씀이)?(너무|좀|조금|참)*(느려|느리다|느리네|느립니다|느려터졌어|답답하게느려)(요)?",
        ),
    ),
    (
        "louder",
        (
            f"{_MORE}(크게|큰소리로|크게크게)(좀|더)?({_TELL}|해{_GIVE})?",
            f"(소리|목소리|볼륨|음량)(를|을|좀)*(좀|더|조금|좀더)*(키워|높여|올려|크게해|크게|키아|키우){_GIVE}",
            "(말|말이|소리|소리가|목소리가|니말이|니목소리가)?(하나도|잘|통|도통|너무|영|당최)*(안|앙)(들려"
            "|들린다|들리네|들립니다|들리는데|들리는구나|들리|들린당께|들린다카이|들리요)(요|네)?",
            "(소리|소리가|목소리|목소리가|말소리가)(너무|좀|조금|영)*(작아|작다|작네|작습니다|작은데|작어)(요"
            "|서안들려|서안들려요)?",
        ),
    ),
    (
        "softer",
        (
            f"{_MORE}(작게|작은소리로|조그맣게|살살|나직하게|소곤소곤)({_TELL}|해{_GIVE})?",
            f"{_MORE}(조용히|조용하게){_TELL}",
            f"(소리|목소리|볼륨|음량)(를|을|좀)*(좀|더|조금|좀더)*(줄여|낮춰|내려|작게해|작게|줄이){_GIVE}",
            "(소리|소리가|목소리|목소리가)(너무|좀|조금|영)*(커|크다|크네|큽니다|커서귀아파|커서시끄러워)(요)?",
        ),
    ),
    (
        "repeat",
        (
            "(뭐|머|뭣|뭐뭐|머머)(요)?",
            "(지금|방금|아까|니가|네가|너|너방금|니)*(뭐|머|뭣|뭐시|머시|뭣이|뭐이|무어)(라고|라구|라|라꼬|락"
            "|라고라|라고라고|라고라우|라고야|라고라요|래|라고요|라구요|라)"
            "(했어|했니|했지|했노|했나|했냐|했어요|했지요|했소|그랬어|그랬지|그랬니|하셨어요|하신거예요|한거야"
            "|한거예요|하는거야|하는거예요|하는겨|하노|하나|카노|캤노|캤나|캅니꺼|카능교|"
            "카는데|캐쌌노|말했어|말했지|말한거야|했더라|하던가|한겨|했당가|했능가|허요|했소잉)?(요|잉)?",
            "무슨말(이야|이에요|이여|이고|이라|입니까|이라고|했어)?(요)?",
            "뭔말(이야|이여|이고|이라)(요)?",
            f"(다시|또|또다시|한번더|한번만더|다시한번|다시한번만|한번만다시|한번다시|처음부터다시"
            f"|한번)(좀)?(천천히)?{_TELL}",
            "(다시|다시한번|다시한번만|한번더|한번만더|한번만다시)(요|좀)?",
            f"{_MORE}(다시|한번더|다시한번)(좀)?해{_GIVE}",
            f"(무슨말인지|뭐라고했는지|뭐라고하는지|뭐라는지|뭐라카는지|말을|말|소리를|니말을)?(잘"
            f"|하나도)*못(잘)?(들었|알아들었|알아묵었){_NOT_HEARD}(다시말해줘)?",
            "(뭐라고하는지|뭐라고했는지|뭐라는지|뭐라카는지|무슨말인지)(잘|하나도|통|도통)*(못들었어|못알아듣겠어"
            "|못알아듣겠다|못알아듣겠네|모르겠어|모르겠네|모르겠다)(요)?",
            "(잘)?못알아듣겠(어|다|네|는데|습니다)(요)?",
        ),
    ),
)
_KO = tuple((request, sound_pattern(f"{_CALLING}({'|'.join(forms)}){_AFTER}")) for request, forms in _KO_FORMS)

# --- English: over `normalized` ------------------------------------------------------------------------------------


def _repeated(words: str, *, before: str = "", after: str = "") -> str:
    """Any row of `words`, each with what stands before or after it."""
    return f"(?:{'|'.join(repeatable(before + word + after for word in words.split('|')))})*"


_HAIL = _repeated(
    "oh|um|uh|er|well|hey|sorry|excuse me|please|boksil|puppy|dear|no|wait|but|and|im sorry|i am sorry|can you"
    "|could you|would you|will you|would you mind|just|hm|hmm|my dear|little one|i said|you know",
    after=" ",
)
_THANKS = _repeated(
    "please|boksil|puppy|dear|thank you|thanks|for me|to me|a bit|a little|now|then|will you|would you"
    "|could you|can you",
    before=" ",
)
_BIT = _repeated("a bit|a little|a little bit|much|even|some|more|bit", after=" ")
_YOU_ARE = r"(?:youre|you are|its|it is|thats|that is|that was|your voice is|you were|the sound is)"
_SPEAK = r"(?:(?:speak|talk|say it|say that|tell me|go|read|read it|speaking|talking) )"

_EN_ASIDE = re.compile(
    r"(?:oh|um|uh|er|well|hey|sorry|excuse me|please|boksil|puppy|dear|no|wait|thank you|thanks|im sorry|i am sorry)"
    r"(?: (?:boksil|puppy|dear|please))?"
)
_EN_FORMS: tuple[tuple[Request, tuple[str, ...]], ...] = (
    (
        "slower",
        (
            rf"{_SPEAK}?{_BIT}(?:slower|slowly|more slowly)",
            r"slow (?:it )?down",
            rf"{_YOU_ARE} (?:(?:speaking|talking|going) )?(?:much |way |a bit |a little )?too (?:fast|quick"
            rf"|quickly)",
            r"(?:too|not so) (?:fast|quick)",
            r"dont (?:speak|talk|go) so fast",
        ),
    ),
    (
        "faster",
        (
            rf"{_SPEAK}{_BIT}(?:faster|quicker|more quickly|quickly)",
            r"(?:a bit |a little )?faster",
            rf"{_YOU_ARE} (?:(?:speaking|talking|going) )?(?:much |way |a bit |a little )?too (?:slow|slowly)",
            r"speed (?:it )?up",
        ),
    ),
    (
        "louder",
        (
            rf"{_SPEAK}?{_BIT}(?:louder|loudly|more loudly)",
            r"(?:speak|talk) up",
            r"turn (?:it|the volume|the sound|your voice) up|turn up (?:the volume|the sound|your voice)|volume up",
            r"i (?:still )?(?:cant|cannot|can not|can hardly|can barely) (?:really )?hear(?: you| that| it"
            r"| anything| a thing)?(?: very well| well| properly| at all)?",
            rf"{_YOU_ARE} (?:much |way |a bit |a little )?too (?:quiet|soft|low)",
        ),
    ),
    (
        "softer",
        (
            rf"{_SPEAK}?{_BIT}(?:softer|quieter|softly|quietly)",
            r"turn (?:it|the volume|the sound|your voice) down|turn down (?:the volume|the sound|your voice)"
            r"|volume down",
            r"lower your voice",
            rf"{_YOU_ARE} (?:much |way |a bit |a little )?too loud",
            r"(?:too|not so) loud",
        ),
    ),
    (
        "repeat",
        (
            r"what|huh|eh|pardon|pardon me|i beg your pardon|beg your pardon|come again|say again|what was that"
            r"|whats that|what is that again",
            r"what (?:did|do) you (?:just )?(?:say|said)|what (?:have you|was it you) said|what were you saying"
            r"|what are you saying",
            r"(?:say|tell me|repeat|say to me)(?: that| it| this)?(?: to me)?(?: again| once more| one more time"
            r"| once again)",
            r"repeat(?: that| it| yourself| what you said)?",
            r"again|once more|one more time|once again",
            r"i (?:didnt|did not|couldnt|could not) (?:quite |really )?(?:hear|catch|get|understand"
            r"|follow)(?: you| that| it| what you said| a word)?",
            r"i missed (?:that|it|what you said)",
        ),
    ),
)
_EN = tuple((request, re.compile(f"{_HAIL}(?:{'|'.join(forms)}){_THANKS}")) for request, forms in _EN_FORMS)
