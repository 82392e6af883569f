"""The listener's reply in Korean: takes up what was said, stays with it, asks one question. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from gpu_node.engines import ReplyRequest
from gpu_node.engines.reflective import feelings_ko as feelings
from gpu_node.engines.reflective import frames_ko as frames
from gpu_node.engines.reflective import requests_ko as requests
from gpu_node.engines.reflective import situations_ko as situations
from gpu_node.engines.reflective.careful_ko import CAREFUL
from gpu_node.engines.reflective.choice import MANY, Chooser, fixed, unsaid
from gpu_node.engines.reflective.distress import ANSWERS, danger_in, still_in_danger
from gpu_node.engines.reflective.korean_endings import Ending
from gpu_node.engines.reflective.nouns import BODY_PARTS, Topic
from gpu_node.engines.reflective.numerals import date_in_words, sino, spell_numbers, time_in_words
from gpu_node.engines.reflective.particles import attach
from gpu_node.engines.reflective.statements_ko import Mention, Statement
from gpu_node.engines.reflective.topics_ko import TALK
from gpu_node.engines.reflective.understanding_ko import LONG, Heard, understand
from gpu_node.persona import may_bark

_ALWAYS_PAST = frozenset((Topic.WAR, Topic.ARMY))
_PHANTOM = re.compile(r"시청해?주셔서|구독과좋아요|다음영상에서")
"""What Whisper writes where nobody spoke."""
_LONGING = ("그립", "그리")
_CORRECTION = re.compile(
    r"^(?:아니|아니야|아니요|아니에요|아냐)[,.]?\s+(?:[가-힣 ]{1,10}(?:이|가)\s+아니(?:라|고"
    r"|었고)\s+)?(?P<noun>[가-힣]{1,8}?)"
    r"(?:이었|였)(?:어요?|지요?|다|네|습니다|다니까|어라)[.!]?$"
)
"""아니 산이었어: what was named is not what it was."""
_HEAVY_TOPICS = frozenset((Topic.WAR, Topic.BODY, Topic.HOSPITAL, Topic.MONEY, Topic.ARMY, Topic.MIND))


def reply(request: ReplyRequest) -> str:
    """The whole reply to `request.transcript`; the same request always gets the same reply."""
    if danger := danger_in(request.transcript, "ko") or still_in_danger(request):
        return fixed(ANSWERS["ko"][danger], request)
    heard = understand(re.sub(r"(?:복실아|복실이야)[,!.]?\s+(?=\S)", "", request.transcript).strip())
    if _asks_to_repeat(heard):
        return _again(Chooser(request.transcript, request.context.history))
    return unsaid(request, lambda chooser: _attempt(request, heard, chooser))


def _attempt(request: ReplyRequest, heard: Heard, chooser: Chooser) -> str:
    answer = _to_situation(request, heard, chooser) or _to_story(request, heard, chooser)
    return _addressed(answer, request, chooser)


def _asks_to_repeat(heard: Heard) -> bool:
    is_short = len(heard.squeezed) <= 20 and heard.ending is not Ending.OPEN
    return is_short and requests.REPEAT.search(heard.squeezed) is not None


# --- what is answered by what it does --------------------------------------------------------------------------------


def _to_situation(request: ReplyRequest, heard: Heard, chooser: Chooser) -> str | None:
    squeezed = heard.squeezed
    if asked := _to_clock(request, heard, chooser):
        return asked
    slots = {"PET": _hangul(request.context.pet_name) or "복실이"}
    if address := _hangul(request.context.form_of_address):
        slots["ADDRESS"] = address
    if earlier := _earlier_topic(request):
        slots["N"] = earlier
    if corrected := _CORRECTION.match(heard.text):
        return chooser.pick(frames.CORRECTED, N=corrected["noun"])
    for situation in (*CAREFUL, *situations.SITUATIONS):
        if situation.fits(squeezed):
            if chooser.attempt > MANY:
                return f"{chooser.pick(frames.COMMENTS)} {chooser.pick(TALK[Topic.OTHER].now + frames.GO_ON)}"
            if situation.name == "yes_on" and not chooser.said:
                return chooser.pick(requests.HERE)
            return chooser.pick(_barking(situation.replies, request), **slots)
    return None


def _barking(replies: tuple[str, ...], request: ReplyRequest) -> tuple[str, ...]:
    """Those that may be said now: a bark is for those who like it, and rare."""
    return replies if may_bark(request.context) else tuple(reply for reply in replies if "멍!" not in reply)


def _again(chooser: Chooser) -> str:
    if not chooser.said:
        return chooser.pick(requests.NOTHING_TO_REPEAT)
    last = chooser.said[-1].removeprefix(requests.REPEAT_PREFIX).strip()
    is_long = len(re.findall(r"[.!?…](?:\s|$)", last)) > 2
    return last if is_long else f"{requests.REPEAT_PREFIX} {last}"


def _to_clock(request: ReplyRequest, heard: Heard, chooser: Chooser) -> str | None:
    if heard.about_past or len(heard.squeezed) > 20:
        return None
    asks_time = requests.ASKS_TIME.search(heard.squeezed)
    asks_date = requests.ASKS_DATE.search(heard.squeezed) or requests.ASKS_YEAR.search(heard.squeezed)
    if not asks_time and not asks_date:
        return _to_events(request, heard, chooser)
    try:
        now = datetime.fromisoformat(request.context.local_time)
    except ValueError:
        return chooser.pick(requests.CLOCK_UNKNOWN)
    if requests.ASKS_YEAR.search(heard.squeezed):
        told = f"올해는 {sino(now.year)}년이에요"
    elif asks_date:
        told = f"오늘은 {date_in_words(now)}이에요"
    else:
        told = f"지금은 {attach(time_in_words(now), '이에요/예요')}"
    return chooser.pick(requests.CLOCK_REPLIES, TIME=told)


def _to_events(request: ReplyRequest, heard: Heard, chooser: Chooser) -> str | None:
    if heard.ending is not Ending.ASKS or not requests.ASKS_EVENTS.search(heard.squeezed):
        return None
    spoken = (re.sub(r"[^가-힣 ]", " ", spell_numbers(event)) for event in request.context.events_today)
    events = [" ".join(event.split()) for event in spoken if event.strip()][:2]
    if not events:
        return chooser.pick(requests.NO_EVENTS)
    return chooser.pick(requests.EVENTS_REPLIES, EVENTS=", ".join(event[:18] for event in events))


def _earlier_topic(request: ReplyRequest) -> str:
    """What the person spoke of last, as the listener says it."""
    for line in reversed(request.context.history):
        if line.role == "user" and (spoken_of := understand(line.text).topics):
            return str(spoken_of[0].display)
    return ""


# --- what is answered by what it is about ----------------------------------------------------------------------------


def _to_story(request: ReplyRequest, heard: Heard, chooser: Chooser) -> str:
    feeling = feelings.feeling_in(heard.text)
    focus = _focus(heard)
    if _is_noise(heard) or (focus is None and heard.statement is None and feeling is None and not heard.about_past):
        if chooser.attempt > MANY:
            return f"{chooser.pick(frames.STILL_UNCLEAR)} {chooser.pick(frames.STILL_UNCLEAR_ASKS)}"
        is_long = heard.words >= 5 and not _is_noise(heard)
        return chooser.pick(frames.UNCLEAR_LONG if is_long else frames.UNCLEAR)
    if heard.ending in (Ending.ASKS, Ending.BIDS):
        return _to_request(heard, focus, chooser)
    lost = next((mention for mention in heard.mentions if mention.is_person or mention.topic is Topic.ANIMAL), None)
    if lost is not None and feelings.names(feelings.GRIEF, heard.text):
        return _to_grief(lost, chooser)
    if lost is not None and lost.is_person and feelings.names(feelings.PARTING, heard.text):
        return _to_parting(heard, lost, chooser)
    opening = _opening(heard, focus, feeling, chooser)
    comment = _comment(request, opening, focus, feeling, chooser)
    question = _question(heard, focus, feeling, chooser)
    return " ".join(part for part in (opening, comment, question) if part)


def _focus(heard: Heard) -> Mention | None:
    """What to speak of: a noun of the statement that is given back, else the likeliest of all, else a guess."""
    if not heard.topics:
        return heard.guesses[0] if heard.guesses else None
    likeliest = heard.topics[0]
    if heard.statement is not None and _is_given_back(heard.statement, likeliest):
        inside = {str(mention.display) for mention in heard.statement.mentions}
        return next((mention for mention in heard.topics if str(mention.display) in inside), likeliest)
    return likeliest


def _is_given_back(statement: Statement, focus: Mention | None) -> bool:
    """Whether `statement` carries the opening: it must not pass over the person whom the words were about."""
    if focus is None or str(focus.display) in statement.text:
        return True
    if len(statement.stem) >= 4:
        return True
    says_little = statement.stem in ("있", "없", "좋", "많")
    return bool(statement.mentions or len(statement.text) >= 9) and not (focus.is_person and says_little)


def _is_noise(heard: Heard) -> bool:
    """A loop of one word, or next to no Hangul: nothing was understood."""
    words = re.findall(r"[가-힣]+", heard.text)
    hangul = sum(len(word) for word in words)
    if _PHANTOM.search(heard.squeezed):
        return True
    return hangul < 2 or (len(words) >= 4 and len(set(words)) * 3 <= len(words))


def _to_grief(lost: Mention, chooser: Chooser) -> str:
    if lost.topic in (Topic.CHILD, Topic.GRANDCHILD, Topic.ANIMAL) or not lost.honoured:
        opening = chooser.pick(feelings.GRIEF_OPENINGS_CLOSE, P=lost.display)
        question = chooser.pick(feelings.GRIEF_QUESTIONS_YOUNG, P=lost.display)
    else:
        is_close = lost.topic in (Topic.SPOUSE, Topic.SIBLING)
        options = feelings.GRIEF_OPENINGS_CLOSE if is_close else feelings.GRIEF_OPENINGS
        opening = chooser.pick(options, P=lost.display)
        question = chooser.pick(feelings.GRIEF_QUESTIONS, P=lost.display)
    return f"{opening} {chooser.pick(feelings.GRIEF_COMMENTS)} {question}"


def _to_parting(heard: Heard, lost: Mention, chooser: Chooser) -> str:
    told = heard.statement.text if heard.statement is not None else ""
    opening = told + "." if lost.display in told else chooser.pick(feelings.PARTING_OPENINGS, P=lost.display)
    question = chooser.pick(feelings.PARTING_QUESTIONS, P=lost.display)
    return f"{opening} {chooser.pick(feelings.PARTING_COMMENTS)} {question}"


def _to_request(heard: Heard, focus: Mention | None, chooser: Chooser) -> str:
    """Asked something that it does not know, or to do what it cannot: it says so, and leads back to the person."""
    asks = heard.ending is Ending.ASKS
    honest = chooser.pick(frames.DONT_KNOW if asks else frames.CANNOT)
    if focus is None:
        return f"{honest} {chooser.pick(frames.ASKED_QUESTIONS if asks else TALK[Topic.OTHER].now)}"
    wondered = "{N} 일이 궁금하시군요." if focus.is_person else "{N:이/가} 궁금하시군요."
    second = chooser.pick((wondered if asks else "{N} 이야기라면 얼마든지 들을게요.",), N=focus.display)
    if focus.topic is Topic.OTHER and asks:
        return f"{honest} {second} {chooser.pick(frames.ASKED_QUESTIONS)}"
    return f"{honest} {second} {_topic_question(heard, focus, chooser)}"


def _opening(heard: Heard, focus: Mention | None, feeling: feelings.Feeling | None, chooser: Chooser) -> str:
    statement = heard.statement
    is_heavy = feeling is not None and feeling.heavy
    if statement is not None and feeling is not None and statement.stem.startswith(_LONGING):
        return _varied(statement.text, chooser) if " " in statement.text else feeling.opening
    if statement is not None and is_heavy and " " not in statement.text and focus is not None and focus.is_person:
        return _varied(f"{focus.display} 일로 {statement.text}", chooser)
    if statement is not None and ((is_heavy and not statement.mentions) or _is_given_back(statement, focus)):
        return _varied(statement.text, chooser)
    if focus is None:
        return feeling.opening if feeling is not None else chooser.pick(frames.PAST_OPENINGS)
    if not heard.mentions or focus.topic is Topic.OTHER:
        return chooser.pick(frames.OPENINGS_UNKNOWN, N=focus.display)
    others = [m for m in heard.mentions[1:] if m.topic not in (focus.topic, Topic.MIND, Topic.AGE)]
    if heard.words >= LONG and others:
        first, second = sorted((focus, others[0]), key=lambda mention: mention.at)
        return chooser.pick(frames.OPENINGS_TWO, M=first.display, N=second.display)
    if is_heavy and focus.noun in BODY_PARTS:
        return chooser.pick(frames.OPENINGS_HURT, N=focus.display)
    is_grave = is_heavy or focus.topic in _HEAVY_TOPICS
    options = frames.OPENINGS_GRAVE if is_grave else frames.OPENINGS
    return chooser.pick(options + (frames.OPENINGS_PAST if heard.about_past else ()), N=focus.display)


def _varied(told: str, chooser: Chooser) -> str:
    """군요 or 네요, both of somebody who has just learnt it."""
    if told.endswith("군요") and not told.endswith("소식이군요") and chooser.chance("ending", 2):
        return told.removesuffix("군요").removesuffix("는" if told.endswith("는군요") else "") + "네요."
    return told + "."


def _comment(
    request: ReplyRequest, opening: str, focus: Mention | None, feeling: feelings.Feeling | None, chooser: Chooser
) -> str:
    if chooser.attempt > MANY:
        return chooser.pick(frames.COMMENTS)
    if feeling is not None:
        return chooser.pick(feeling.comments)
    if focus is None:
        return chooser.pick(frames.COMMENTS)
    if focus.topic is not Topic.OTHER:
        if any(focus.noun in memory for memory in request.context.memories):
            return chooser.pick(frames.MEMORY_COMMENTS, N=focus.display)
        earlier = any(line.role == "user" and focus.noun in line.text for line in request.context.history)
        if earlier and len(focus.noun) > 1 and chooser.chance("earlier", 2):
            return chooser.pick(frames.EARLIER_COMMENTS, N=focus.display)
    if focus.topic not in _HEAVY_TOPICS and chooser.chance("brief", 4):
        return ""
    comments = TALK[focus.topic].comments
    fresh = [comment for comment in comments if "{N" not in comment or focus.display not in opening]
    return chooser.pick(fresh or comments, N=focus.display)


def _question(heard: Heard, focus: Mention | None, feeling: feelings.Feeling | None, chooser: Chooser) -> str:
    if heard.ending is Ending.OPEN and heard.statement is None:
        return chooser.pick(frames.GO_ON)
    if chooser.attempt > MANY:
        return chooser.pick(TALK[Topic.OTHER].now + frames.GO_ON)
    of_body = focus is not None and focus.topic is Topic.BODY
    if feeling is not None and (feeling.heavy or focus is None or of_body or chooser.chance("feeling", 2)):
        return chooser.pick(feeling.questions)
    if focus is None:
        talk = TALK[Topic.OTHER]
        return chooser.pick(talk.then if heard.about_past else talk.now)
    return _topic_question(heard, focus, chooser)


def _topic_question(heard: Heard, focus: Mention, chooser: Chooser) -> str:
    talk = TALK[focus.topic]
    options = talk.then if heard.about_past or focus.topic in _ALWAYS_PAST else talk.now
    told = heard.statement.mentions if heard.statement is not None else ()
    if any(mention.is_person for mention in told):  # who was there has just been said
        options = tuple(option for option in options if not re.search(r"누구와|누가|누구를", option)) or options
    return chooser.pick(options, N=focus.display)


# --- the form of address ---------------------------------------------------------------------------------------------


def _hangul(name: str) -> str:
    """`name` if a voice can call somebody so, else nothing."""
    return name.strip() if re.fullmatch(r"[가-힣]{1,6}(?: [가-힣]{1,6})?", name.strip()) else ""


def _addressed(answer: str, request: ReplyRequest, chooser: Chooser) -> str:
    """`answer`, now and then with the form of address before it: once, and not in two replies running."""
    address = _hangul(request.context.form_of_address)
    just_used = bool(chooser.said) and address in chooser.said[-1]
    first = re.split(r"[.!?]", answer)[0]
    is_broken = "," in first or first.startswith(("네", "안녕", "멍"))
    if not address or just_used or is_broken or address in answer or not chooser.chance("address", 3):
        return answer
    return f"{address}, {answer}"
