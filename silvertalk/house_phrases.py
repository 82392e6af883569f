"""Every fixed thing that 복실이 says of its own accord, with no language model asked: in one place, so that they sound
like one and the same friend.

All of them are spoken, so numbers are words ("일일구"), and all are short. To a person in distress nothing is asked,
nothing is advised that a doctor would have to know, and nothing is promised: SilverTalk cannot call anybody, and never
says that it has. Where a person is asked to say something again, the fault is never theirs.
"""

from __future__ import annotations

from silvertalk.distress import Kind
from silvertalk.repair import Request
from streaming.messages import Language

_DISTRESS: dict[Language, dict[Kind, str]] = {
    "ko": {
        "emergency": "많이 힘드시군요, 제가 들었어요. 지금 바로 일일구에 전화하세요. "
        "가까이 계신 분도 큰 소리로 불러 주세요.",
        "despair": "그렇게 힘드셨군요, 말씀해 주셔서 고마워요. 일공구에 전화하시면 밤낮없이 이야기를 들어 줘요. "
        "가까운 분께도 지금 마음을 말씀해 주세요.",
    },
    "en": {
        "emergency": "I hear you, and I am with you. Please call one one nine right now. "
        "If anybody is near, call out to them loudly.",
        "despair": "That sounds so very hard, and I am glad you told me. "
        "Please call one zero nine: somebody will listen, day or night. Please tell somebody close to you, too.",
    },
}

_REPEAT_PREFACE: dict[Language, str] = {"ko": "네, 다시 말씀드릴게요.", "en": "Of course, here it is again."}
_NOTHING_TO_REPEAT: dict[Language, str] = {
    "ko": "제가 아직 드린 말씀이 없어요. 편하게 이야기를 들려주시겠어요?",
    "en": "I have not said anything yet. Would you like to tell me something?",
}

_DONE: dict[Language, dict[Request, str]] = {
    "ko": {
        "slower": "네, 천천히 말씀드릴게요.",
        "faster": "네, 조금 빨리 말씀드릴게요.",
        "louder": "네, 더 크게 말씀드릴게요.",
        "softer": "네, 조금 작게 말씀드릴게요.",
    },
    "en": {
        "slower": "Of course, I will speak more slowly.",
        "faster": "Of course, I will speak a little faster.",
        "louder": "Of course, I will speak louder.",
        "softer": "Of course, I will speak more softly.",
    },
}
_AT_THE_LIMIT: dict[Language, dict[Request, str]] = {
    "ko": {
        "slower": "죄송해요, 더는 천천히 말하지 못해요.",
        "faster": "죄송해요, 더는 빨리 말하지 못해요.",
        "louder": "죄송해요, 더는 크게 말하지 못해요. 기기의 소리를 키워 주시겠어요?",
        "softer": "죄송해요, 더는 작게 말하지 못해요. 기기의 소리를 줄여 주시겠어요?",
    },
    "en": {
        "slower": "I'm sorry, I cannot speak any slower.",
        "faster": "I'm sorry, I cannot speak any faster.",
        "louder": "I'm sorry, I cannot speak any louder. Could you turn up the sound of your device?",
        "softer": "I'm sorry, I cannot speak any softer. Could you turn down the sound of your device?",
    },
}

_CLARIFICATIONS: dict[Language, tuple[str, ...]] = {
    "ko": (
        "제가 잘 못 알아들었어요. 한 번만 다시 말씀해 주시겠어요?",
        "죄송해요, 제 귀에 잘 안 들렸어요. 다시 한번 들려주시겠어요?",
        "제가 놓친 말씀이 있어요. 조금만 더 크게 말씀해 주시겠어요?",
    ),
    "en": (
        "I didn't quite catch that. Could you say it once more, please?",
        "I'm sorry, I could not hear that well. Would you tell me again?",
        "I missed some of that. Could you say it a little louder?",
    ),
}

_SILENCE_PROMPTS: dict[Language, tuple[str, ...]] = {
    "ko": (
        "저는 여기 있어요. 천천히 생각나시는 대로 들려주세요.",
        "서두르지 않으셔도 돼요. 말씀하고 싶으실 때 불러 주세요.",
        "그냥 이렇게 같이 있어도 좋아요. 무슨 이야기든 들려주세요.",
    ),
    "en": (
        "I am here. Take all the time you like.",
        "There is no hurry at all. I am listening whenever you want to talk.",
        "It is nice just to be here together. Any story is welcome.",
    ),
}


def distress_answer(kind: Kind, language: Language) -> str:
    """What is said to somebody whose words call for help; the number is in it, in words."""
    return _DISTRESS[language][kind]


def repeat_preface(language: Language) -> str:
    """Said before the last reply is said again."""
    return _REPEAT_PREFACE[language]


def nothing_to_repeat(language: Language) -> str:
    """Said where there is no reply to say again."""
    return _NOTHING_TO_REPEAT[language]


def slower_ack(language: Language, *, at_limit: bool = False) -> str:
    return _acknowledgement("slower", language, at_limit)


def faster_ack(language: Language, *, at_limit: bool = False) -> str:
    return _acknowledgement("faster", language, at_limit)


def louder_ack(language: Language, *, at_limit: bool = False) -> str:
    return _acknowledgement("louder", language, at_limit)


def softer_ack(language: Language, *, at_limit: bool = False) -> str:
    return _acknowledgement("softer", language, at_limit)


def clarification(language: Language, number: int = 0) -> str:
    """Asks to hear it once more; a growing `number` (of any size) gives other words, so that it is not said alike twice
    in a row."""
    return _CLARIFICATIONS[language][number % len(_CLARIFICATIONS[language])]


def silence_prompt(language: Language, number: int = 0) -> str:
    """Said into a long silence; a growing `number` (of any size) gives other words."""
    return _SILENCE_PROMPTS[language][number % len(_SILENCE_PROMPTS[language])]


def _acknowledgement(request: Request, language: Language, at_limit: bool) -> str:
    """`at_limit`: the voice is as slow, fast, loud or soft already as it can be."""
    return (_AT_THE_LIMIT if at_limit else _DONE)[language][request]
