"""Who is that, speaking while 복실이 speaks? Its own voice come back, a nod, a cough, or somebody who wants the floor.

While a reply is heard, whatever the microphone takes for speech is judged by its words. First what is 복실이's own is
taken away (`silvertalk.echo`); of the rest, a nod (네, 응, uh-huh) leaves the floor where it is, unless a question is
open that it answers; anything else is somebody who speaks. A word that asks for silence (잠깐, 그만, stop) counts at
once; other words count as soon as there are two of them, since the last word of a partial transcript may be misheard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from silvertalk.echo import own_words, sounds
from streaming.messages import Language
from streaming.text import normalized


class Verdict(StrEnum):
    """Whose the floor is."""

    UNDECIDED = "undecided"
    """Listen on: the words so far prove nothing."""
    SPEECH = "speech"
    """The person wants the floor."""
    ECHO = "echo"
    """복실이's own voice. More may follow that is not."""
    BACK_CHANNEL = "back_channel"
    """A nod: the person listens."""
    NOISE = "noise"
    """Nobody said anything."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What the sound says of a voice, whatever its words are (`silvertalk.echo_ear`)."""

    somebody: float
    """How surely it is more than an echo, 0 to 1."""
    alone: bool
    """There was no echo before it, though the reply was loud."""
    voiced_ms: float
    """How long the voice sounded altogether."""
    beside_echo: bool
    """An echo is known to be part of it."""
    own_ms: float
    """How long more than an echo was heard: somebody's syllables, without the gaps between them."""

    def is_too_short_for(self, syllables: int) -> bool:
        """Nobody can have said so much beside the echo: part of it is the echo, misheard, and the rest a nod."""
        return self.own_ms < min(LONGEST_NOD_MS, syllables * FASTEST_SYLLABLE_MS)

    @property
    def is_surely_echo(self) -> bool:
        """So surely that words which say otherwise are taken for misheard."""
        return self.somebody < SURE_ECHO_BELOW


SURE_ECHO_BELOW = 0.05
"""In 720 simulated scenes in rooms not tuned on, one voice in a thousand of half a second and more was so taken for an
echo, over echoes of up to its own loudness."""
SOMEBODY_ABOVE = 0.85

ANNOTATION = re.compile(r"\[[^\]]*\]?|\([^)]*\)?|【[^】]*】?|\*[^*]*\*?|[♩♪♫♬♭♮♯]")
"""What Whisper writes of a sound that is not speech: "(웃음)", "[cough]"."""

ANSWERS = frozenset(
    """
    네 넵 예 옙 응 어 엉 그래 그래요 그럼 그럼요 그렇지 그렇지요 그라치 그라치요 그렇죠 그라죠 그치 그죠
    맞아 맞아요 맞어 맞어요 맞지 맞네 맞습니다 좋아 좋아요 좋지 좋지요 알았어 알았어요 알겠어 알겠어요
    하모 하모요 하믄 그라모 그람 그라무 그라제 그라지 기여 겨 그랴 그려 그려요 그류 그래유
    yeah yes yep yup uhhuh mmhm mhm right okay ok sure true ofcourse thatsright
    """.split()
)
"""Nods that are answers where a question is open, with the dialects'."""
NODS = ANSWERS | frozenset(
    """
    음 흠 오 와 이야 아 아이고 아이구 에구 에고 어머 어머나 저런 세상에 글쎄 글쎄요 그러게 그러게요
    그렇구나 그랬구나 그렇군 그렇군요 그랬군요 정말 진짜 정말요 진짜요 하 허 호 히 헤 후 흐 크 우 으
    uh mm hm hmm isee iseeyou oh ah wow really ha heh ohdear
    """.split()
)
NOT_NODS = frozenset("그러나 그런데 그래서 그래도 그러면 그러니까 그러니 그러다가".split())
"""They sound like nods run together, and open a sentence."""
COUGHS = frozenset("콜록 쿨럭 에취 엣취 훌쩍 큼 킁 크흠 에헴 쉿 쉬 드르렁 멍 왈 야옹 cough achoo ahem".split())
STOPS = frozenset(
    """
    잠깐 잠깐만 잠깐만요 잠시만 잠시만요 그만 그만해 그만해요 그만하세요 그만하자 아니 아니야 아니요 아니에요 아뇨
    아녀 아이다
    조용 조용히 됐어 됐어요 가만 가만있어 가만있어봐 스톱
    stop wait no hold enough quiet
    """.split()
)
"""Who says one of these wants 복실이 to be silent, or knows better: nothing more needs to be heard."""
ONE_SYLLABLE = frozenset("왜 뭐 뭘 야 물 what why who".split())
"""The few that mean something alone; others are as often a breath or a chair."""

CALLED = {"119": "일일구", "109": "일공구", "112": "일일이", "911": "구일일"}
"""Numbers to call for help, and how they are read: they say enough."""

ENOUGH_WORDS, ENOUGH_SYLLABLES = 2, 4
"""Of somebody's own, before they have fallen silent: a word alone may be the misheard beginning of an echo."""
SHORTEST_WORDS, SHORTEST_BESIDE_ECHO = 2, 3
"""Syllables, when they have: beside an echo less is a word of it misheard."""
SHORTEST_ECHO = 3
"""Syllables. Fewer fit into any reply, and prove nothing while more may follow."""
LONGEST_NOD = 24
"""Characters. Longer text is not looked at for nods."""


LEAST_VOICED_MS, LONGEST_NOD_MS = 300.0, 640.0
"""A word alone that is over so soon is a nod more often than what Whisper makes of it ("예, 예" is heard as 예약)."""
FASTEST_SYLLABLE_MS = 65.0
"""Of what is loud of a syllable. Nobody speaks faster."""
LEAST_SPEECH_MS = 900.0
"""Longer than any nod: who was heard so long beside an echo has said something, though its words alone were written."""


def judge(
    text: str,
    *,
    settled: bool,
    played: str,
    question_open: bool,
    language: Language,
    testimony: Witnessed | None = None,
) -> Verdict:
    """Whose words `text` is.

    `text` is what is understood so far, `settled` when all that was said is in it and the person is silent; `played`
    is the reply's text that was audible from shortly before the words began until now, some sentences more or less;
    `question_open`: a question of 복실이's has been heard, and waits for an answer; `testimony`: what the sound says.
    """
    if testimony is not None and testimony.is_surely_echo:
        return Verdict.ECHO
    written = normalized(ANNOTATION.sub(" ", text)).split()
    words = [word for word in written if _is_spoken(word, language)]
    if not words or _is_made_of(words, _COUGHS):
        if not settled:
            return Verdict.UNDECIDED
        unclear = question_open and bool(written) and not words and _is_as_short_as_a_nod(testimony)
        return Verdict.SPEECH if unclear else Verdict.NOISE
    if _is_made_of(words, _NODS):
        return _nod(words, settled=settled, question_open=question_open)
    if testimony is not None and testimony.alone:
        played = ""  # however well the words fit into it
    words = list(dict.fromkeys(words))  # of a loop of Whisper's once round is enough
    if any(word in STOPS and not _is_within(word, played) for word in words) or ONE_SYLLABLE.issuperset(words):
        return Verdict.SPEECH
    if any(word in CALLED and not _is_within(word, played) and not _is_within(CALLED[word], played) for word in words):
        return Verdict.SPEECH
    own = own_words(" ".join(words), played)
    if own:  # nods beside it say nothing of whose the rest is
        words = [word for word in words if not _is_made_of([word], _NODS)]
        own = own_words(" ".join(words), played)
    beside_echo = len(own) < len(words)
    syllables = sum(map(_syllables, own))
    if not words:
        return Verdict.BACK_CHANNEL if settled else Verdict.UNDECIDED
    if not own:
        verdict = _echo(words, text, settled=settled, played=played, question_open=question_open)
        drowned = settled and testimony is not None and testimony.own_ms >= LEAST_SPEECH_MS
        return Verdict.SPEECH if verdict is Verdict.ECHO and drowned else verdict
    lent = testimony is not None and (testimony.beside_echo or beside_echo) and testimony.is_too_short_for(syllables)
    if not settled:
        enough = len(own) >= ENOUGH_WORDS and syllables >= ENOUGH_SYLLABLES and not lent
        return Verdict.SPEECH if enough else Verdict.UNDECIDED
    mere_word = len(own) == 1 and NOT_NODS.isdisjoint(own) and _is_as_short_as_a_nod(testimony)
    if not question_open and (mere_word or lent):
        return Verdict.BACK_CHANNEL
    if syllables >= (SHORTEST_BESIDE_ECHO if beside_echo else SHORTEST_WORDS):
        return Verdict.SPEECH
    return Verdict.ECHO if beside_echo else Verdict.NOISE


def _nod(words: Sequence[str], *, settled: bool, question_open: bool) -> Verdict:
    if not settled:
        return Verdict.UNDECIDED  # "네, 그런데 …" may follow
    answered = not ANSWERS.isdisjoint(words) or not _is_made_of(words, _MERE_NODS)
    return Verdict.SPEECH if question_open and answered else Verdict.BACK_CHANNEL


def _is_as_short_as_a_nod(testimony: Witnessed | None) -> bool:
    return testimony is not None and LEAST_VOICED_MS <= testimony.voiced_ms <= LONGEST_NOD_MS


def _echo(words: Sequence[str], text: str, *, settled: bool, played: str, question_open: bool) -> Verdict:
    """All words are in what is played. One of them, taken out of its midst, may still be the person's: asked back
    ("바닷가?"), or chosen in answer ("바다가 좋으세요, 산이 좋으세요?" "바다."). An echo goes on to the end of a
    sentence, and what it lacks is its beginning."""
    if not settled:
        return Verdict.ECHO if sum(map(_syllables, words)) >= SHORTEST_ECHO else Verdict.UNDECIDED
    asked_back = len(words) == 1 and text.rstrip().endswith("?")
    chosen = len(words) == 1 and question_open
    ends = " ".join(sentence.split()[-1] for sentence in re.split(r"[.?!…]+", played) if sentence.split())
    if (asked_back or chosen) and _syllables(words[0]) > 1 and own_words(words[0], ends):
        return Verdict.SPEECH
    return Verdict.ECHO


def _is_within(word: str, played: str) -> bool:
    return sounds(word) in sounds(normalized(played).replace(" ", ""))


def _is_spoken(word: str, language: Language) -> bool:
    """Where Whisper is at a loss in Korean it counts, or writes a foreign word or two."""
    return language != "ko" or word in CALLED or any("가" <= letter <= "힣" for letter in word)


def _is_made_of(words: Sequence[str], forms: re.Pattern[str]) -> bool:
    """Nothing but these forms, however often, run together and half misheard."""
    run = "".join(words)
    if not NOT_NODS.isdisjoint(words) or len(run) > LONGEST_NOD:
        return False
    rough = _roughly(run)
    return bool(forms.fullmatch(rough) or forms.fullmatch(_TWICE.sub(lambda found: found[1] or "", rough)))


def _roughly(word: str) -> str:
    """Its sounds, with those made one that Whisper confuses: ㄱ ㄲ ㅋ, the nasals, ㅐ ㅔ, ㅓ ㅗ."""
    return _BREATH.sub("", sounds(word).translate(_ROUGH))


def _syllables(word: str) -> int:
    """Of Hangul as many as characters; an English word counts as two if it is longer than four letters."""
    hangul = sum("가" <= letter <= "힣" for letter in word)
    return hangul or (1 if len(word) <= 4 else 2)


def _repeated(forms: frozenset[str]) -> re.Pattern[str]:
    """Any of the forms, once or more. One that others make up is left out: no text may be cut up in many ways."""
    kept: list[str] = []
    for form in sorted({_roughly(form) for form in forms}, key=len):
        if not kept or not re.fullmatch(f"(?:{'|'.join(kept)})+", form):
            kept.append(form)
    return re.compile(f"(?:{'|'.join(kept)})+")


_BREATH = re.compile("ㅎ(?=[ㄱㄷㅈ])")  # 그렇지 is said 그러치
_TWICE = re.compile("([ㄱㄴㄷㄹㅂㅅㅈ])\\1|[ㄷㅅ](?=ㅈ)")  # 맞자 is said 마짜, and of 네 맞아 the ㅁ is written twice
_ROUGH = str.maketrans("ㄲㅋㄸㅌㅃㅍㅆㅉㅊㅁㅇㅔㅖㅒㅗㅜ", "ㄱㄱㄷㄷㅂㅂㅅㅈㅈㄴㄴㅐㅐㅐㅓㅡ")
_NODS, _MERE_NODS, _COUGHS = _repeated(NODS), _repeated(NODS - ANSWERS), _repeated(COUGHS)
