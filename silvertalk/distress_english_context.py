"""What makes English words of distress a memory or a report, and not a call for help."""

from __future__ import annotations

import re

from silvertalk.distress_calls import Call

_THEN = re.compile(
    r"\b(?:years? ago|months? ago|weeks? ago|days? ago|back then|in those days|when i was|when we were|as a (?:child"
    r"|boy|girl|kid)|"
    r"last (?:year|month|week|winter|summer|night)|yesterday|once|one day|at that time|during the war|used to"
    r"|in the war|my whole life|that (?:day|night|time))\b"
)
_NOW = re.compile(r"\b(?:now|right now|still|again|since|help|please)\b")
_REPORTED = re.compile(
    r"\b(?:he|she|they|we|somebody|someone|everyone|people|husband|wife|mother|father|son|daughter|friend|neighbou?r"
    r"|hero|i) "
    r"(?:said|says|told|shouted|cried|screamed|yelled|thought|felt|was|were|had|wondered|heard|would|used)\b"
    r"|\bcalled out\b"
)
_STORY = re.compile(
    r"\b(?:film|movie|book|novel|song|dream|dreamt|dreamed|story|play|television|tv|show|if i|if you|if he|if she)\b"
)

_SAID = re.compile(
    r"(?:(?:that|this) (?:was|is) what )?"
    r"(?:he|she|they|i|we|my \w+) (?:said|shouted|cried|screamed|yelled|thought|told|sang)\b"
)


def reports(words: str) -> bool:
    """Whether `words`, normalised, say who had said what stands before them."""
    return bool(_SAID.match(words))


def is_call(call: Call, sentence: str, start: int, end: int) -> bool:
    """Whether `sentence[start:end]`, the words of `call`, are meant for whoever listens now; all of it normalised."""
    if call.unless and call.unless.search(sentence):
        return False
    if _STORY.search(sentence) or _REPORTED.search(sentence[:start]):
        return False
    if reports(sentence[end:].strip()):
        return False
    return bool(_NOW.search(sentence)) or not _THEN.search(sentence)
