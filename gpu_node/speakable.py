"""Takes out of a stream of text whatever must never be spoken: markdown, links, emoji, code, stage directions.

Text arrives in pieces of any size and leaves as whole words. It is held back only as far as the next whitespace, or as
far as the end of a construct that could still turn out to be unspeakable (a link, a bracket, a code fence). What is a
block depends on the text alone and never on how it was cut into pieces, so the words that come out do not either.
"""

from __future__ import annotations

import re
import unicodedata

LINE_BREAK = "\n"
"""Stands among the words where the text had a line break: an item of a list ends there even without punctuation."""

_MAX_BLOCK = 80
"""Characters a bracket or an emphasis may hold the text back for. A stage direction is shorter; an unclosed bracket
must not silence the reply for longer."""
_MAX_CODE = 4000
_MAX_WORD = 200

_PARTICLE_AFTER_LINK = r"(?:에서|에게|으로|까지|부터|[을를이가은는에의로도])?(?![가-힣])"
_STAGE_WORDS = (
    r"웃음|웃으며|웃으면서|미소|미소\s*지으며|한숨|침묵|박수|잠시\s*(?:멈춤|침묵|후)?|멈춤|눈물|끄덕"
    r"|꼬리[^)\]]*|귀를[^)\]]*|멍멍"
    r"|laugh(?:s|ing|ter)?|smil(?:es|ing|e)|chuckl(?:es|ing|e)|sigh(?:s|ing)?|paus(?:es|ing|e)|nod(?:s"
    r"|ding)?|bark(?:s|ing)?"
    r"|wag[^)\]]*|applause|silence|giggl(?:es|ing|e)|whisper(?:s|ing)?|soft(?:ly)?|warm(?:ly)?|gent(?:ly|le)"
)
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_FOOTNOTE = re.compile(r"\[\^?\d+\]")
_STAGE_IN_BRACKETS = re.compile(rf"\*\s*[(\[][^)\]]*[)\]]\s*\*|[(\[]\s*(?:{_STAGE_WORDS})\s*[)\]]", re.IGNORECASE)
_BETWEEN_ASTERISKS = re.compile(r"(?<!\*)\*(?!\*)([^*\n]+)\*(?!\*)")
_STAGE_KO = re.compile(r"\s.*(?:며|면서|듯|는다|린다|인다|진다|웃음)$")
_STAGE_EN = re.compile(r"^(?!(?:is|was|this|always|yes|does|has|things?)\b)[a-z]+(?:s|ing)\b", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_URL = re.compile(
    r"(?:https?://|www\.)[^\s<>()\[\]\"'가-힣]*[^\s<>()\[\]\"'가-힣.,!?;:]" + _PARTICLE_AFTER_LINK
    + r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+" + _PARTICLE_AFTER_LINK
    + r"|(?<![\w.])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|io|kr|app|dev)(?:/[^\s<>()\"'가-힣]*)?"
    + _PARTICLE_AFTER_LINK,
    re.IGNORECASE | re.ASCII,
)  # fmt: skip
_RULE = re.compile(r"^(?:[-*_=]{3,}|\|[-|: ]*)$")
_MARKER = re.compile(r"^(?:#{1,6}|>+|[-*+•·▪◦–—]|\d{1,2}[.)])$")
_LEFT_OVER = re.compile(r"^[.,;:]+$")
"""A mark whose word was taken out."""
_BARK = re.compile(r"^[\"']?(?:(?:멍+|왈+|컹+|월월)[!.,~…]*|woof[!.,~…]*|arf[!.,~…]*)+[\"']?$", re.IGNORECASE)
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U0001fb00-\U0001ffff\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\ufe00-\ufe0f\u200b-\u200f\u2060\ufeff\u20e3\U000e0020-\U000e007f]"
)
_EMOTICON = re.compile(r"[ㄱ-ㅎㅏ-ㅣ]+|\^[_.\-oO]?\^|(?<!\w)[:;=]-?[)(DP](?!\w)|(?<!\w)[xX]D(?!\w)|<3")
_TILDE = re.compile(r"[~〜～∼]+(?!\d)")
_MARKS = str.maketrans(
    {
        "？": "?", "！": "!", "。": ".", "．": ".", "，": ",", "、": ",", "：": ":", "；": ";", "（": "(", "）": ")",
        "“": '"', "”": '"', "„": '"', "「": '"', "」": '"', "『": '"', "』": '"', "《": '"', "》": '"',
        "〈": '"', "〉": '"', "‘": "'", "’": "'", "`": " ", "|": " ", "#": "", "*": "", "\\": "",
        "\u00a0": " ", "\u3000": " ",
    }
)  # fmt: skip


class SpeakableWords:
    """Pieces of raw text in, speakable words out; `LINE_BREAK` stands among them as a word of its own.

    `barks`: a puppy's bark is a word like others; otherwise it is left out.
    """

    def __init__(self, *, barks: bool = True) -> None:
        self._barks = barks
        self._raw = ""
        self._line_starts = True

    def feed(self, piece: str) -> list[str]:
        self._raw += piece
        words: list[str] = []
        while (end := _block_end(self._raw, self._line_starts)) is not None:
            words += self._take(end)
        return words

    def finish(self) -> list[str]:
        """The rest, now that nothing can follow it."""
        words = self.feed("")
        if self._raw:
            words += self._take(len(self._raw))
        return words

    def _take(self, end: int) -> list[str]:
        block, self._raw = self._raw[:end], self._raw[end:]
        breaks = block.endswith("\n")
        bare = block.strip()
        if not bare or (self._line_starts and (_MARKER.match(bare) or _RULE.match(bare))):
            self._line_starts = self._line_starts or breaks
            return [LINE_BREAK] if breaks else []
        self._line_starts = breaks
        words = [word for word in clean_block(block).split() if not _LEFT_OVER.match(word)]
        if not self._barks:
            words = [word for word in words if not _BARK.match(word)]
        return words + ([LINE_BREAK] if breaks else [])


def clean_block(text: str) -> str:
    """`text` without what must not be spoken. Pure; constructs must lie in it whole."""
    text = unicodedata.normalize("NFC", text)
    text = _FENCE.sub(" ", text)
    text = _LINK.sub(r"\1", _IMAGE.sub(" ", text))
    text = _FOOTNOTE.sub("", text)
    text = _STAGE_IN_BRACKETS.sub(" ", text)
    text = _BETWEEN_ASTERISKS.sub(_emphasis_or_stage, text)
    text = _URL.sub(" ", _TAG.sub(" ", text))
    text = text.replace("**", "").replace("~~", "")
    text = re.sub(r"_+", " ", _EMOTICON.sub(" ", _EMOJI.sub("", text)))
    text = _TILDE.sub("", text).translate(_MARKS)
    text = re.sub(r"\[([^\]]*)\]", r"\1", text).replace("[", " ").replace("]", " ")
    text = re.sub(r"\(\s*\)|\"\s*\"", " ", text)
    text = re.sub(r"(?<=\w)\s*[—–]+\s*(?=\w)", ", ", text)
    text = re.sub(r"(?<!\w)[-—–]+(?!\w)", " ", text)
    text = re.sub(r"\.{2,}|[…‥⋯]+\.*", "…", text)
    text = re.sub(r"[!?]{2,}", lambda marks: "?" if "?" in marks.group() else "!", text)
    return re.sub(r"\s+([,.!?…;:])", r"\1", "".join(c for c in text if c.isspace() or c.isprintable()))


def _emphasis_or_stage(match: re.Match[str]) -> str:
    inner = match.group(1).strip()
    is_stage = _STAGE_KO.search(inner) or _STAGE_EN.match(inner) or re.fullmatch(_STAGE_WORDS, inner, re.IGNORECASE)
    return " " if is_stage else inner


def _block_end(raw: str, line_starts: bool) -> int | None:
    """Where the first block of `raw` ends, its whitespace included; None while that may still move."""
    limit = _MAX_CODE if "```" in raw[: _MAX_WORD + 3] else _MAX_WORD
    for space in re.finditer(r"\s", raw):
        at = space.start()
        if at > limit:
            return limit
        if not _is_open(raw[:at], space.group() == "\n", line_starts):
            return at + 1
    return limit if len(raw) > limit + 3 else None


def _is_open(block: str, at_line_end: bool, line_starts: bool) -> bool:
    """Whether a construct begun in `block` has not come to its end."""
    if block.count("```") % 2:
        return len(block) < _MAX_CODE
    if at_line_end or len(block) >= _MAX_BLOCK or (line_starts and _MARKER.match(block)):
        return False
    block = _FENCE.sub("", block).replace("**", "")
    return (
        block.rfind("[") > block.rfind("]")
        or block.rfind("(") > block.rfind(")")
        or block.count("*") % 2 == 1
        or re.search(r"<[a-zA-Z/][^>]*$", block) is not None
    )
