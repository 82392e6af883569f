"""One way of deciding endpoints, tried on turns that were heard. For `benchmarks.turns`.

Time is virtual: at every pause the real `Endpointing` is asked window after window, as a session asks it, and gets its
evidence when the stated delays are over, or not at all. If the person went on before it decided, nothing happened; if
it decided first, that was a false end; at the end of a turn what counts is how long it took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.turns_corpus import JoinedTurn
from benchmarks.turns_evidence import END_SLACK_SAMPLES, PauseHeard
from silvertalk.pause_profile import PauseProfile
from streaming.audio import ms_to_samples, samples_to_ms
from streaming.endpointing import RULE, Endpointing, Pauses, Rule
from streaming.vad import WINDOW_SAMPLES

LONGEST_WAIT_SAMPLES = ms_to_samples(20_000)


@dataclass(frozen=True)
class HeardTurn:
    """A turn and its pauses. `pauses_of_speaker`: what the profile learned from the speaker's other turns."""

    turn: JoinedTurn
    pauses: Sequence[PauseHeard]
    pauses_of_speaker: Pauses


@dataclass(frozen=True)
class Policy:
    """What decides, and from what. Delays count from where the pause was confirmed; None: no such evidence."""

    name: str
    fixed_wait_ms: float | None = None
    sound_delay_ms: float | None = 150
    words_delay_ms: float | None = 600
    fading: bool = True
    personal: bool = True
    rule: Rule = RULE


@dataclass
class Outcome:
    """What became of the pauses of some turns."""

    turns: int
    waits_ms: list[float] = field(default_factory=list)
    """After the true ends."""
    cut: list[PauseHeard] = field(default_factory=list)
    waited_out: list[PauseHeard] = field(default_factory=list)

    @property
    def false_ends_per_turn(self) -> float:
        return len(self.cut) / self.turns

    @property
    def mean_ms(self) -> float:
        return float(np.mean(self.waits_ms))

    def percentile_ms(self, share: float) -> float:
        return float(np.percentile(self.waits_ms, share))

    def share_cut(self, upto_ms: float = float("inf"), after_final: bool | None = None) -> float:
        """Of the pauses no longer than that (and, of those that were made, after such clips), how many were cut."""

        def counts(pause: PauseHeard) -> bool:
            wanted = after_final is None or (pause.kind == "join" and pause.after_final == after_final)
            return wanted and pause.silence_ms <= upto_ms

        cut, kept = sum(map(counts, self.cut)), sum(map(counts, self.waited_out))
        return cut / max(cut + kept, 1)


def with_profiles(heard: Sequence[tuple[JoinedTurn, Sequence[PauseHeard]]]) -> list[HeardTurn]:
    """Each turn with what the product's own profile makes of the pauses in the other turns of its speaker."""
    turns = []
    for turn, pauses in heard:
        profile = PauseProfile()
        for other, others in heard:
            if other.speaker == turn.speaker and other.name != turn.name:
                for pause in others:
                    if pause.kind in ("join", "inside"):
                        profile.inner_pause(pause.silence_ms)
        turns.append(HeardTurn(turn, pauses, profile.pauses()))
    return turns


def tried(policy: Policy, turns: Sequence[HeardTurn]) -> Outcome:
    outcome = Outcome(len(turns))
    for heard in turns:
        pauses = heard.pauses_of_speaker if policy.personal else Pauses()
        endpointing = Endpointing(
            language=heard.turn.language,
            pauses=lambda known=pauses: known,  # type: ignore[misc]
            fixed_wait_ms=policy.fixed_wait_ms,
            rule=policy.rule,
        )
        for pause in heard.pauses:
            waited_ms = _decided(endpointing, policy, pause)
            if pause.kind in ("join", "inside"):
                (outcome.waited_out if waited_ms is None else outcome.cut).append(pause)
            elif waited_ms is not None:
                if pause.kind == "end":
                    # Noise may have gone on for a while after the person.
                    late = pause.speech_end_sample - heard.turn.end_sample - END_SLACK_SAMPLES
                    outcome.waits_ms.append(waited_ms + samples_to_ms(max(late, 0)))
                break
    return outcome


def _decided(endpointing: Endpointing, policy: Policy, pause: PauseHeard) -> float | None:
    """The wait in ms after which the endpoint was decided; None where the person went on first."""
    endpointing.on_pause(pause.speech_end_sample, pause.faded if policy.fading else None)
    upto = pause.paused_sample
    sound_due = _due(upto, policy.sound_delay_ms)
    words_due = _due(upto, policy.words_delay_ms)
    for heard_sample in range(upto, upto + LONGEST_WAIT_SAMPLES, WINDOW_SAMPLES):
        if heard_sample == pause.resumed_sample:
            endpointing.on_resume()
            return None
        if sound_due is not None and heard_sample >= sound_due:
            endpointing.on_sound(upto, pause.evidence.sound)
            sound_due = None
        if words_due is not None and heard_sample >= words_due:
            endpointing.on_words(upto, pause.evidence.text or "")
            words_due = None
        decision = endpointing.decide(heard_sample)
        if decision is not None:
            return decision.wait_ms
    raise AssertionError("no endpoint is so far off")


def _due(sample: int, delay_ms: float | None) -> int | None:
    return None if delay_ms is None else sample + ms_to_samples(delay_ms)
