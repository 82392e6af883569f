"""The listener's reply in English: takes up what was said, stays with it, asks one question. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from gpu_node.engines import ReplyRequest
from gpu_node.engines.reflective import phrases_en as phrases
from gpu_node.engines.reflective.choice import MANY, Chooser, fixed, unsaid
from gpu_node.engines.reflective.distress import ANSWERS, danger_in, still_in_danger
from gpu_node.persona import may_bark

_LONG_AGO = re.compile(
    (
        r"\b(?:when i was|used to|years ago|back then|in those days|as a (?:child|girl|boy)|long ago|grew up"
        r"|during the war|was born)\b"
    ),
    re.IGNORECASE,
)
_GRIEF = re.compile(r"\b(?:died|passed away|is gone|passed on|lost my|we lost|funeral|buried)\b", re.IGNORECASE)
_QUESTION = re.compile(
    r"^(?:who|what|why|how|which|do|does|did|is|are|was|were|can|could|will|would|have|has|should)\b"
    r"|^(?:when|where) (?:is|are|was|were|do|does|did|can|will|would|should|has|have)\b",
    re.IGNORECASE,
)
"""When and where begin a story as often as a question."""
_FILLERS = re.compile(r"^(?:(?:well|oh|um|uh|ah|so|and|but|yes|no|you know|now|anyway|okay|ok),?\s+)+", re.IGNORECASE)
_MAX_ECHO_WORDS = 16


def reply(request: ReplyRequest) -> str:
    """The whole reply to `request.transcript`; the same request always gets the same reply."""
    if danger := danger_in(request.transcript, "en") or still_in_danger(request):
        return fixed(ANSWERS["en"][danger], request)
    text = " ".join(request.transcript.replace("’", "'").split())
    plain = " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())
    if re.search(phrases.REPEAT, plain):
        return _again(Chooser(request.transcript, request.context.history))
    return unsaid(request, lambda chooser: _attempt(request, text, plain, chooser))


def _attempt(request: ReplyRequest, text: str, plain: str, chooser: Chooser) -> str:
    answer = _to_situation(request, plain, chooser) or _to_story(text, chooser)
    return _addressed(answer, request, chooser)


# --- what is answered by what it does --------------------------------------------------------------------------------


def _to_situation(request: ReplyRequest, plain: str, chooser: Chooser) -> str | None:
    pet = _latin(request.context.pet_name) or "your puppy"
    if len(plain.split()) <= 9 and re.search(phrases.CLOCK, plain):
        return _clock(request, plain, chooser)
    for _, pattern, replies in phrases.SITUATIONS:
        if len(plain.split()) <= 10 and re.search(pattern.replace("{pet}", pet.lower()), plain):
            if chooser.attempt > MANY:
                return f"{chooser.pick(phrases.COMMENTS)} {chooser.pick(phrases.QUESTIONS)}"
            fit = replies if may_bark(request.context) else tuple(reply for reply in replies if "Woof" not in reply)
            return chooser.pick(fit, PET=pet)
    if re.search(phrases.DO, plain):
        return chooser.pick(phrases.CANNOT)
    return None


def _again(chooser: Chooser) -> str:
    if not chooser.said:
        return chooser.pick(phrases.NOTHING_TO_REPEAT)
    last = chooser.said[-1].removeprefix(phrases.REPEAT_PREFIX).strip()
    is_long = len(re.findall(r"[.!?](?:\s|$)", last)) > 2
    return last if is_long else f"{phrases.REPEAT_PREFIX} {last}"


def _clock(request: ReplyRequest, plain: str, chooser: Chooser) -> str:
    try:
        now = datetime.fromisoformat(request.context.local_time)
    except ValueError:
        return chooser.pick(phrases.CLOCK_UNKNOWN)
    told = f"It is {_time_in_words(now)}" if "time" in plain else f"Today is {_date_in_words(now)}"
    return chooser.pick(phrases.CLOCK_REPLIES, TIME=told)


_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen"
    " nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty".split()
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth"
    " sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = "January February March April May June July August September October November December".split()


def _number(number: int) -> str:
    """Words for 0 to 59."""
    tens, ones = divmod(number, 10)
    return _ONES[number] if number < 20 else _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")


def _time_in_words(moment: datetime) -> str:
    part = "in the morning" if moment.hour < 12 else "in the afternoon" if moment.hour < 18 else "in the evening"
    minutes = f" {'oh ' if moment.minute < 10 else ''}{_number(moment.minute)}" if moment.minute else " o'clock"
    return f"{_number(moment.hour % 12 or 12)}{minutes} {part}"


def _date_in_words(moment: datetime) -> str:
    day = moment.day
    tens = {2: "twenty", 3: "thirty"}.get(day // 10, "")
    ordinal = "thirtieth" if day == 30 else _ORDINALS[day - 1] if day <= 20 else f"{tens}-{_ORDINALS[day % 10 - 1]}"
    return f"{_WEEKDAYS[moment.weekday()]}, the {ordinal} of {_MONTHS[moment.month - 1]}"


# --- what is answered by what it is about ----------------------------------------------------------------------------


def _to_story(text: str, chooser: Chooser) -> str:
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", text) if re.search(r"[a-zA-Z]", part)]
    words = re.findall(r"[a-zA-Z']+", text)
    found = _topic_in(text)
    is_loop = len(words) >= 4 and len({word.lower() for word in words}) * 3 <= len(words)
    if is_loop or not sentences or (len(words) < 3 and found is None):
        return _unclear(words, chooser, is_loop=True)
    topic, noun = found if found is not None else (None, "")
    if topic is not None and (topic.person or "dog" in noun or "cat" in noun) and _GRIEF.search(text):
        return chooser.pick(phrases.GRIEF, N=noun)
    if sentences[-1].endswith("?") or _QUESTION.match(_FILLERS.sub("", sentences[-1])):
        return f"{chooser.pick(phrases.DONT_KNOW)} {chooser.pick(phrases.COMMENTS)} {chooser.pick(phrases.ASKED)}"
    feeling = _feeling_in(text)
    echo = next((echo for part in reversed(sentences[-2:]) if (echo := echoed(part))), "")
    if not echo and topic is None and feeling is None:
        return _unclear(words, chooser, is_loop=False)
    parts = [
        _opening(echo, noun, chooser),
        _comment(topic, noun, feeling, chooser),
        _ask(text, topic, noun, feeling, chooser),
    ]
    return " ".join(part for part in parts if part)


def _unclear(words: list[str], chooser: Chooser, *, is_loop: bool) -> str:
    if chooser.attempt > MANY:
        return f"{chooser.pick(phrases.STILL_UNCLEAR)} {chooser.pick(phrases.STILL_UNCLEAR_ASKS)}"
    return chooser.pick(phrases.UNCLEAR_LONG if len(words) >= 5 and not is_loop else phrases.UNCLEAR)


def _topic_in(text: str) -> tuple[phrases.Topic, str] | None:
    """The topic named last, people before things, and its noun as the listener says it."""
    found: list[tuple[bool, int, phrases.Topic, str]] = []
    for topic in phrases.TOPICS:
        for match in re.finditer(rf"\b(my |our |the )?({topic.words})\b", text, re.IGNORECASE):
            article = (match[1] or "").strip().lower()
            owner = "your " if article in ("my", "our") else "the " if article == "the" else ""
            found.append((bool(owner == "your " and topic.person), match.start(), topic, owner + match[2].lower()))
    if not found:
        return None
    _, _, topic, noun = max(found, key=lambda item: item[:2])
    return topic, noun


def _feeling_in(text: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    for pattern, comments, questions in phrases.FEELINGS:
        match = re.search(pattern, text, re.IGNORECASE)
        if match and not re.search(
            r"\b(?:not|never|no|isn't|wasn't|don't|didn't)\s+(?:\w+\s+)?$", text[: match.start()], re.I
        ):
            return comments, questions
    return None


def _opening(echo: str, noun: str, chooser: Chooser) -> str:
    if echo:
        return f"So {echo}." if chooser.chance("so", 2) else echo[0].upper() + echo[1:] + "."
    return chooser.pick(phrases.OPENINGS, N=noun) if noun else ""


def _comment(
    topic: phrases.Topic | None, noun: str, feeling: tuple[tuple[str, ...], tuple[str, ...]] | None, chooser: Chooser
) -> str:
    if feeling is not None:
        return chooser.pick(feeling[0])
    return chooser.pick(topic.comments if topic is not None else phrases.COMMENTS, N=noun)


def _ask(
    text: str,
    topic: phrases.Topic | None,
    noun: str,
    feeling: tuple[tuple[str, ...], tuple[str, ...]] | None,
    chooser: Chooser,
) -> str:
    if feeling is not None:
        return chooser.pick(feeling[1])
    if topic is None:
        return chooser.pick(phrases.QUESTIONS)
    return chooser.pick(topic.then if _LONG_AGO.search(text) else topic.now, N=noun)


_SWAPS = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "we": "you", "us": "you",
    "our": "your",
    "ours": "yours", "ourselves": "yourselves", "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll",
    "we're": "you're", "we've": "you've", "we'd": "you'd", "we'll": "you'll",
}  # fmt: skip
_AGREES = {"am": "are", "was": "were", "wasn't": "weren't"}
_OPINION = re.compile(
    r"^(?:i|we) (?:think|guess|believe|mean|know|suppose|don't know|wonder|wish|hope|said|say)\b", re.IGNORECASE
)


def echoed(sentence: str) -> str:
    """A plain statement about oneself or one's people, turned to "you"; "" where that is not safe."""
    plain = _FILLERS.sub("", sentence).strip().rstrip(".!,")
    words = plain.split()
    plain = re.sub(r"^(?:when|where) (?:i|we) [a-z' ]{2,24}?,? (?=(?:my|our|i|we) )", "", plain, flags=re.IGNORECASE)
    words = plain.split()
    starts = re.match(r"^(?:i|i'm|i've|we|we're|we've|my|our)\b", plain, re.IGNORECASE)
    if not starts or _OPINION.match(plain) or not 3 <= len(words) <= _MAX_ECHO_WORDS:
        return ""
    if re.search(r"\d|[\"“”:;]|\byou\b|\byour\b|\b(?:can't|please)\b", plain, re.IGNORECASE):
        return ""
    plain = re.sub(r"^(my|our) (\w+) and i\b", r"you and your \2", plain, flags=re.IGNORECASE)
    swapped: list[str] = []
    for word in plain.split():
        core = word.strip(",").lower()
        tail = word[len(word.rstrip(",")) :]
        if core in _AGREES and swapped and swapped[-1] == "you":
            swapped.append(_AGREES[core] + tail)
        else:
            swapped.append(_SWAPS[core] + tail if core in _SWAPS else word)
    return " ".join(swapped)


# --- names -----------------------------------------------------------------------------------------------------------


def _latin(name: str) -> str:
    """`name` if an English voice can say it, else nothing."""
    return name.strip() if re.fullmatch(r"[A-Za-z][A-Za-z.' -]{0,30}", name.strip()) else ""


def _addressed(answer: str, request: ReplyRequest, chooser: Chooser) -> str:
    address = _latin(request.context.form_of_address)
    just_used = bool(chooser.said) and address in chooser.said[-1]
    if not address or just_used or address in answer or "," in answer.split(".")[0] or not chooser.chance("address", 3):
        return answer
    keeps_capital = re.match(r"I\b|I'|[A-Z]\w+day", answer) is not None
    return f"{address}, {answer if keeps_capital else answer[0].lower() + answer[1:]}"
