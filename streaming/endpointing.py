"""Deciding that an utterance has ended: how long to wait at a pause, from what is known of it.

    on_pause ──> waiting ──(on_sound, on_words: the wait is chosen anew)──> decide ──> EndpointDecision
        ^           │
        '─on_resume─'

A fixed silence timer must choose between cutting people off and keeping them waiting. Here the wait depends on what was
heard: how the voice faded (`streaming.fading`, known when the pause is), an acoustic model's opinion of the sound
(`on_sound`), how the words end (`on_words`), and how long this person pauses (`Pauses`). The rule is `wait_for`, the
figures in it are `Rule`. Evidence that comes later says up to which sample it speaks: what speaks of less than the
person has said is stale and changes nothing, and where there is none the pauses alone decide.

Pure, and counted in the samples that were heard, not by a clock: when the radio stalls nothing is heard, and nobody is
cut off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from types import MappingProxyType
from typing import Literal

from streaming.audio import ms_to_samples, samples_to_ms
from streaming.endings import Ending, ending_of
from streaming.messages import Language

Because = Literal["pauses", "fading", "words", "sound", "both", "fixed"]
"""What chose a wait: the person's pauses alone, for want of evidence; how the voice faded, nothing else being known;
the words' ending, the sound, or both of them (with the fading and the pauses); a setting."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long one person pauses inside an utterance: log-normal.

    The defaults are somebody of whom nothing is known. Inside read Korean sentences pauses last 481 ± 386 ms (Yoo &
    Shin 2019), which as a log-normal is a median of 375 and a sigma of 0.70; in the benchmark's recordings, with longer
    pauses put into them, 450 and 0.86. Older people pause more often, and longer as memory fails: a little more than
    either.
    """

    median_ms: float = 500.0
    sigma: float = 0.8
    """Standard deviation of ln(pause)."""
    patience: float = 1.0
    """Set by hand: every wait is multiplied by it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The figures of `wait_for`, tuned with `benchmarks/turns.py` on one half of its speakers.

    What is worth how much comes from its fit (`--fit`), rounded, and drawn towards caution where a dozen pauses were
    all there was; the endings that it hardly met (a filler, a question) stand where their neighbours put them.
    """

    prior: float = 0.4
    """How many pauses are ends, before anything is known of one. Only its odds over those of `certainty` matter."""
    certainty: float = 0.95
    """How probable the end must be. Lower ends sooner and cuts more: older people mind being cut off more than waiting,
    and a wait hides much of the time that a reply takes to make. On the half it was chosen on 0.90, 0.95 and 0.97 wait
    610, 780 and 990 ms at the mean, and cut 12.2, 9.3 and 4.7 % of the pauses of up to 1.5 s."""
    min_ms: float = 300.0
    """Nobody's turn is taken sooner: shorter silences are consonants and breath, and the sound's score takes 250 ms."""
    max_ms: float = 3500.0
    """Nobody is kept waiting longer, but by their own patience: what is said to suit speakers with aphasia."""
    sound_weight: float = 0.35
    """How much of the acoustic model's log-odds to believe: it is surer of itself than it is right."""
    sound_neutral: float = 0.5
    """The score that speaks for neither."""
    sound_limit: float = 2.0
    """No sound alone is worth more, either way."""
    sound_beside_words: float = 0.5
    """And of that where the words are known: it hears in the melody much of what they say (the fit: 0.48)."""
    fading_weight: float = 1.0
    """How much of the fading's log-odds to believe: all, since they were fitted beside the sound's."""
    fading_beside_words: float = 0.35
    """And of that where the words are known, which say much of the same (the fit: 0.39). With all of it a rule that
    wants few false ends would wait longer: a fading that misleads can only be waited out."""
    fading_limit: float = 1.5
    """No fading is worth more ..."""
    unfaded_limit: float = 0.5
    """... and a voice that did not fade says less than one that did: a microphone's gain control may have levelled it.
    Where a compressor of 10:1 had, the mean wait was 24 to 36 ms longer than without this evidence."""
    words: Mapping[Ending, float] = field(
        default_factory=lambda: MappingProxyType(
            {
                Ending.ASKS: 2.0,
                Ending.CLOSES: 1.75,
                Ending.TRAILS: -0.75,
                Ending.OPEN: -0.75,
                Ending.HOLDS: -1.5,
                Ending.FILLER: -2.0,
            }
        )
    )
    """What each ending is worth, as a log likelihood ratio of finished against going on."""


RULE = Rule()


@dataclass(frozen=True, slots=True)
class Wait:
    """The wait chosen at a pause, counted from the end of speech, and why."""

    wait_ms: float
    because: Because
    ending: str = ""
    """How the words end (`streaming.endings.Ending`); empty where they are not known."""
    end_probability: float | None = None
    """What the acoustic model made of the sound."""
    faded: float | None = None
    """How much the voice had faded, 0 to 1 (`streaming.fading`)."""


def wait_for(
    pauses: Pauses,
    ending: Ending | None,
    end_probability: float | None,
    faded: float | None = None,
    rule: Rule = RULE,
) -> Wait:
    """The silence after which the person has finished with enough certainty. None: no such evidence.

    Bayes: at the pause the odds that they have finished are `prior`'s, times what each witness is worth,

        odds = prior / (1 - prior) · e^words · e^sound · e^fading
        sound = weight · (logit(score) - logit(neutral)), bounded, and less where the words are known
        fading likewise, its neutral score being 0.5

    Silence itself is the last witness. Who has finished stays silent; who has not is still silent after t with
    probability S(t), the share of their pauses that last longer. So after t of silence

        finished : goes on  =  odds : S(t)

    and this reaches the odds of `certainty` where S(t) = odds · (1 - certainty) / certainty. With log-normal pauses
    that is t = median · e^(sigma · z), z the standard normal's quantile from above. Where the evidence alone suffices t
    is 0; then come the bounds, and the person's patience.
    """
    log_odds = _log_odds(rule.prior)
    if ending is not None:
        log_odds += rule.words[ending]
    if end_probability is not None:
        beside = 1.0 if ending is None else rule.sound_beside_words
        log_odds += beside * sound_evidence(end_probability, rule)
    if faded is not None:
        beside = 1.0 if ending is None else rule.fading_beside_words
        log_odds += beside * fading_evidence(faded, rule)
    longer = math.exp(log_odds - _log_odds(rule.certainty))
    silence_ms = 0.0
    if longer < 1:
        silence_ms = pauses.median_ms * math.exp(-pauses.sigma * _STANDARD.inv_cdf(longer))
    wait_ms = max(rule.min_ms, pauses.patience * min(silence_ms, rule.max_ms))
    because = _BECAUSE[ending is not None, end_probability is not None]
    if because == "pauses" and faded is not None:
        because = "fading"
    return Wait(wait_ms, because, "" if ending is None else ending.value, end_probability, faded)


def sound_evidence(probability: float, rule: Rule = RULE) -> float:
    """What the acoustic model's score is worth, as a log likelihood ratio."""
    evidence = rule.sound_weight * (_log_odds(probability) - _log_odds(rule.sound_neutral))
    return min(max(evidence, -rule.sound_limit), rule.sound_limit)


def fading_evidence(faded: float, rule: Rule = RULE) -> float:
    """What the fading of the voice is worth, as a log likelihood ratio."""
    return min(max(rule.fading_weight * _log_odds(faded), -rule.unfaded_limit), rule.fading_limit)


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


_STANDARD = NormalDist()
_BECAUSE: dict[tuple[bool, bool], Because] = {
    (False, False): "pauses",
    (True, False): "words",
    (False, True): "sound",
    (True, True): "both",
}


@dataclass(frozen=True, slots=True)
class EndpointDecision:
    """The utterance has ended at `end_sample`, one past the last sample of speech."""

    end_sample: int
    wait_ms: float
    """Silence between the end of speech and the decision."""
    reason: Literal["silence", "commit", "limit"]
    wait: Wait | None = None
    """The wait that was chosen, where somebody had paused."""


class Endpointing:
    """The endpoint of one utterance after another; all positions are sample numbers of the microphone."""

    def __init__(
        self,
        *,
        language: Language = "ko",
        pauses: Callable[[], Pauses] = Pauses,
        fixed_wait_ms: float | None = None,
        rule: Rule = RULE,
    ) -> None:
        """`pauses` is asked at each pause for what is known of the person by then. `fixed_wait_ms`: a plain timer,
        which no evidence moves."""
        self._rule = rule
        self._language = language
        self._pauses_now = pauses
        self._fixed_wait_ms = fixed_wait_ms
        self._speech_end: int | None = None
        self._pauses = Pauses()
        self._ending: Ending | None = None
        self._end_probability: float | None = None
        self._faded: float | None = None
        self._wait: Wait | None = None

    @property
    def waiting(self) -> Wait | None:
        """The wait chosen for the pause under way; None while somebody speaks, or nobody has."""
        return self._wait

    def on_pause(self, speech_end_sample: int, faded: float | None = None) -> None:
        """`faded`: how much the voice had, by `streaming.fading`; None where that is not known."""
        self._speech_end = speech_end_sample
        self._pauses = self._pauses_now()
        self._faded = faded
        self._ending = self._end_probability = None
        self._choose()

    def on_resume(self) -> None:
        self._speech_end = self._wait = None

    def on_sound(self, upto_sample: int, probability: float) -> bool:
        """How much the audio up to there sounded finished, 0 to 1. False where it is stale or no number: ignored."""
        if self._stale(upto_sample) or not 0 <= probability <= 1:
            return False
        self._end_probability = probability
        self._choose()
        return True

    def on_words(self, upto_sample: int, text: str) -> bool:
        """The transcript of the utterance up to there. False where it is stale or has no words: ignored."""
        if self._stale(upto_sample) or not text.strip():
            return False
        self._ending = ending_of(text, self._language)
        self._choose()
        return True

    def due_sample(self) -> int | None:
        """The microphone's sample at which the utterance ends if nothing more is heard; None while somebody speaks."""
        if self._speech_end is None or self._wait is None:
            return None
        return self._speech_end + ms_to_samples(self._wait.wait_ms)

    def decide(self, heard_sample: int) -> EndpointDecision | None:
        """The decision, once, if it is due. `heard_sample`: up to where the segmenter has heard, not what was received:
        a resumption may wait in the samples between."""
        due = self.due_sample()
        if due is None or heard_sample < due:
            return None
        return self._end(heard_sample, "silence")

    def commit(self, heard_sample: int) -> EndpointDecision:
        """The person says that they have finished: the utterance ends at once, where speech ended or right here."""
        return self._end(heard_sample, "commit")

    def limit(self, heard_sample: int) -> EndpointDecision:
        """Nobody speaks for so long without a pause (a television does): it is cut where it is, and rolls on."""
        return self._end(heard_sample, "limit")

    def _stale(self, upto_sample: int) -> bool:
        return self._speech_end is None or upto_sample < self._speech_end

    def _choose(self) -> None:
        if self._fixed_wait_ms is not None:
            self._wait = Wait(self._fixed_wait_ms, "fixed")
        else:
            self._wait = wait_for(self._pauses, self._ending, self._end_probability, self._faded, self._rule)

    def _end(self, heard_sample: int, reason: Literal["silence", "commit", "limit"]) -> EndpointDecision:
        end_sample = heard_sample if self._speech_end is None else self._speech_end
        decision = EndpointDecision(end_sample, samples_to_ms(heard_sample - end_sample), reason, self._wait)
        self._speech_end = self._wait = None
        return decision
