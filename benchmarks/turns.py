"""When has somebody finished: `python -m benchmarks.turns` (`make bench-turns`).

Recordings are joined into turns (`benchmarks.turns_corpus`), heard by the product's own ears (`turns_evidence`) and
given to the product's own `Endpointing` in virtual time (`turns_trial`): as it comes, with each kind of evidence taken
away, and as a fixed timer of 500, 700, 1000 and 1500 ms. A false end is a pause that was taken for the
end of the turn; the wait is the silence after a true end. The figures of the rule were tuned on one half of the
speakers (`--fit` prints what that half says of them); both halves are printed, and the other is the one to believe.

Then the whole trade-off: the rule's certainty is swept, and at each timer's rate of false ends stands the least mean
wait that the design needs, what that is beside the timer's, and between what it lies in nine of ten draws of as many
speakers (`turns_trade_off`). One half has few ends, so the same is done crosswise: each half with the figures that a
fit finds in the other, and all ends counted together, none of which had a say in what judged it. `--plot FILE.png`
draws the trade-off. `--quick` leaves the noisy copies out.

Recordings: the folder that SILVERTALK_RECORDINGS names, else `../shared/audio`. What the models said is kept in
`--cache`, so that only the first run is slow (half an hour on two busy cores).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.turns_corpus import NOISE_DB, Half, joined_turns
from benchmarks.turns_evidence import Ears, PauseHeard
from benchmarks.turns_fit import fitted
from benchmarks.turns_trade_off import savings, savings_of, sweep_of
from benchmarks.turns_trial import HeardTurn, Outcome, Policy, tried, with_profiles
from benchmarks.vad import listen, score_all
from gpu_node.engines.smart_turn import SmartTurn
from gpu_node.engines.whisper import WhisperEngine
from gpu_node.weights import Weights
from streaming.audio import read_wav
from streaming.endings import ending_of
from streaming.endpointing import RULE
from streaming.segmenter import SegmenterSettings
from streaming.vad import SileroModel, find_silero
from tests.recordings import recordings

TIMERS_MS = (500, 700, 1000, 1500)
NOISY_TURNS_A_SPEAKER = 2
HALVES: tuple[Half, ...] = ("tuning", "report")

console = Console(width=200)


def policies(options: argparse.Namespace) -> list[Policy]:
    design = Policy("the design", sound_delay_ms=options.sound_ms, words_delay_ms=options.words_ms)
    return [
        design,
        replace(design, name="no personal pauses", personal=False),
        replace(design, name="no words", words_delay_ms=None),
        replace(design, name="no sound", sound_delay_ms=None),
        replace(design, name="no fading", fading=False),
        replace(design, name="no sound, no fading", sound_delay_ms=None, fading=False),
        replace(design, name="only fading", sound_delay_ms=None, words_delay_ms=None),
        replace(design, name="only pauses", sound_delay_ms=None, words_delay_ms=None, fading=False),
        *(Policy(f"timer {wait_ms} ms", fixed_wait_ms=wait_ms) for wait_ms in TIMERS_MS),
    ]


# --- tables ----------------------------------------------------------------------------------------------------------


def print_rates(title: str, turns: Sequence[HeardTurn], policies: Sequence[Policy]) -> None:
    table = Table(
        "",
        "false ends a turn",
        "pauses cut",
        "of up to 1.5 s",
        "after a whole sentence",
        "in mid-sentence",
        "mean wait ms",
        "p50",
        "p95",
        title=title,
    )
    for policy in policies:
        outcome = tried(policy, turns)
        table.add_row(
            policy.name,
            f"{outcome.false_ends_per_turn:.2f}",
            f"{outcome.share_cut():.1%}",
            f"{outcome.share_cut(1500):.1%}",
            f"{outcome.share_cut(after_final=True):.1%}",
            f"{outcome.share_cut(after_final=False):.1%}",
            *(f"{ms:.0f}" for ms in (outcome.mean_ms, outcome.percentile_ms(50), outcome.percentile_ms(95))),
        )
    console.print(table)


def print_trade_off(title: str, turns: Sequence[HeardTurn], design: Policy) -> None:
    """At each timer's rate of false ends, the least mean wait of the sweep, with each kind of evidence taken away."""
    variants = [
        design,
        replace(design, name="no personal pauses", personal=False),
        replace(design, name="no words", words_delay_ms=None),
        replace(design, name="no sound", sound_delay_ms=None),
        replace(design, name="no fading", fading=False),
        replace(design, name="no sound, no fading", sound_delay_ms=None, fading=False),
    ]
    table = Table("timer", "false ends a turn", *(variant.name for variant in variants), title=title)
    saved = [savings(variant, TIMERS_MS, turns) for variant in variants]
    for wait_ms, *cells in zip(TIMERS_MS, *saved, strict=True):
        timer = tried(Policy("", fixed_wait_ms=wait_ms), turns)
        table.add_row(f"{timer.mean_ms:.0f} ms", f"{timer.false_ends_per_turn:.2f}", *map(str, cells))
    console.print(table)


def print_crosswise(heard: dict[Half, list[HeardTurn]], design: Policy) -> None:
    """The trade-off of both halves together, each with the figures that the other gave."""
    fits = {half: fitted(turns) for half, turns in heard.items()}
    trials = [
        (replace(design, rule=fits[other].rule()), heard[half])
        for half, other in zip(HALVES, reversed(HALVES), strict=True)
    ]
    timers = [tried(Policy("", fixed_wait_ms=ms), [*heard["tuning"], *heard["report"]]) for ms in TIMERS_MS]
    table = Table("timer", "false ends a turn", "the design", title="Crosswise: each half with the other's figures")
    for timer, saving in zip(timers, savings_of(trials, TIMERS_MS), strict=True):
        table.add_row(f"{timer.mean_ms:.0f} ms", f"{timer.false_ends_per_turn:.2f}", str(saving))
    console.print(table)


def sweep(design: Policy, turns: Sequence[HeardTurn]) -> list[Outcome]:
    return [tried(policy, turns) for policy in sweep_of(design)]


def print_evidence(turns: Sequence[HeardTurn]) -> None:
    """How well each kind of evidence tells ends from pauses, by itself."""
    table = Table("what the words end in", "ends", "pauses within a turn", title="Evidence at the pauses, both halves")
    ends, inside = _pauses(turns)
    language = turns[0].turn.language
    endings = [
        [ending_of(pause.evidence.text, language) for pause in some if pause.evidence.text is not None]
        for some in (ends, inside)
    ]
    for ending in sorted({*endings[0], *endings[1]}):
        table.add_row(ending, *(str(some.count(ending)) for some in endings))
    console.print(table)
    # Which ends are alike is no question of the sound: after a whole sentence people go on or do not. And a pause that
    # is over before the shortest wait needs nobody to tell it from an end.
    against = {
        "any pause": inside,
        f"any of {RULE.min_ms:.0f} ms and more": [p for p in inside if p.silence_ms >= RULE.min_ms],
        "one made in mid-sentence": [p for p in inside if p.kind == "join" and not p.after_final],
    }
    witnesses: dict[str, Callable[[PauseHeard], float]] = {
        "Smart Turn": lambda pause: pause.evidence.sound,
        "the fading": lambda pause: 0.5 if pause.faded is None else pause.faded,
    }
    for witness, score in witnesses.items():
        for name, pauses in against.items():
            area = auc([*map(score, ends)], [*map(score, pauses)])
            console.print(f"{witness}, an end against {name} (n = {len(ends)}, {len(pauses)}): AUC {area:.2f}")


def auc(higher: Sequence[float], lower: Sequence[float]) -> float:
    """The share of pairs in which the first is the greater; a tie counts half."""
    above, below = np.array(higher)[:, np.newaxis], np.array(lower)
    return float(np.mean((above > below) + 0.5 * (above == below)))


def _pauses(turns: Sequence[HeardTurn]) -> tuple[list[PauseHeard], list[PauseHeard]]:
    pauses = [pause for heard in turns for pause in heard.pauses]
    return [p for p in pauses if p.kind == "end"], [p for p in pauses if p.kind in ("join", "inside")]


def print_corpus(heard: dict[Half, list[HeardTurn]]) -> None:
    for half, turns in heard.items():
        speakers = {turn.turn.speaker for turn in turns}
        ends, inside = _pauses(turns)
        made = sum(pause.kind == "join" for pause in inside)
        console.print(
            f"{half}: {len(speakers)} speakers, {len(turns)} turns, {len(ends)} true ends, {made} pauses made, "
            f"{len(inside) - made} that were in the recordings"
        )
    evidence = [pause.evidence for turns in heard.values() for turn in turns for pause in turn.pauses]
    sounds = [each.sound_ms for each in evidence]
    words = [each.words_ms for each in evidence if each.text is not None]
    console.print(
        f"the models took, when they ran (median, 95 %): sound {median(sounds):.0f}, {_p95(sounds):.0f} ms "
        f"({len(sounds)} pauses); words {median(words):.0f}, {_p95(words):.0f} ms ({len(words)})"
    )


def _p95(values: Sequence[float]) -> float:
    return float(np.percentile(values, 95))


def print_noise(model: SileroModel) -> None:
    clips = recordings("noise")
    windows = score_all(model, [read_wav(clip.path) for clip in clips])
    opened = [clip for clip, some in zip(clips, windows, strict=True) if listen(some, SegmenterSettings()).starts]
    seconds = sum(clip.seconds for clip in clips)
    names = ", ".join(clip.path.stem for clip in opened)
    console.print(f"noise alone: {len(opened)} of {len(clips)} recordings ({seconds:.0f} s) opened a turn: {names}")


def plot(path: Path, turns: Sequence[HeardTurn], design: Policy) -> None:
    """Mean wait against false ends a turn, on the half that was not tuned on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    timers = [tried(Policy("", fixed_wait_ms=ms), turns) for ms in range(300, 3001, 100)]
    lines = {
        "fixed timers": timers,
        "the design": sweep(design, turns),
        "no words": sweep(replace(design, words_delay_ms=None), turns),
        "no sound": sweep(replace(design, sound_delay_ms=None), turns),
    }
    for name, outcomes in lines.items():
        axes.plot([o.false_ends_per_turn for o in outcomes], [o.mean_ms for o in outcomes], label=name)
    default = tried(design, turns)
    axes.plot([default.false_ends_per_turn], [default.mean_ms], "o", label="as it comes")
    axes.set(xlabel="false ends a turn", ylabel="mean wait after a true end, ms", xlim=(0, None), ylim=(0, 3000))
    axes.legend()
    figure.savefig(path)


# --- the run ---------------------------------------------------------------------------------------------------------


def heard_turns(ears: Ears, silero: SileroModel, *, noisy: bool) -> dict[Half, list[HeardTurn]]:
    turns = joined_turns(silero, noisy=noisy)
    if noisy:
        counts: dict[str, int] = {}
        for turn in turns:
            counts[turn.speaker] = counts.get(turn.speaker, 0) + 1
        turns = [turn for turn in turns if turn.half == "report"]
        turns = turns[: len(turns) * NOISY_TURNS_A_SPEAKER // max(counts.values())]
    with console.status("") as status:
        heard = []
        for number, turn in enumerate(turns, start=1):
            status.update(f"hearing turn {number} of {len(turns)}{' in noise' if noisy else ''}")
            heard.append((turn, ears.pauses(turn)))
    profiled = with_profiles(heard)
    return {half: [turn for turn in profiled if turn.turn.half == half] for half in HALVES}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sound-ms", type=float, default=150, help="from the pause to the sound's score")
    parser.add_argument("--words-ms", type=float, default=600, help="from the pause to its transcript")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "silvertalk" / "turns")
    parser.add_argument("--weights", type=Path, default=Path.home() / ".cache" / "silvertalk")
    parser.add_argument("--threads", type=int, default=1, help="of Whisper")
    parser.add_argument("--quick", action="store_true", help="no noise")
    parser.add_argument("--fit", action="store_true", help="what the tuning half says of the rule's figures")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    if not recordings("ko"):
        print("no recordings here: set SILVERTALK_RECORDINGS to a folder with a manifest.jsonl")
        return
    silero = SileroModel(find_silero())
    weights = Weights(models_root=None, cache=options.weights, offline=True)
    whisper = WhisperEngine(weights.folder("whisper-base"), threads=options.threads)
    ears = Ears(silero, whisper, SmartTurn(weights), options.cache)
    heard = heard_turns(ears, silero, noisy=False)
    print_corpus(heard)
    print_evidence([turn for turns in heard.values() for turn in turns])
    if options.fit:
        console.print(str(fitted(heard["tuning"])))
    tried_out = policies(options)
    delays = f"sound after {options.sound_ms:.0f} ms, words after {options.words_ms:.0f} ms, certainty {RULE.certainty}"
    for half in HALVES:
        print_rates(f"{half} half; {delays}", heard[half], tried_out)
        print_trade_off(f"{half} half: the least mean wait at a timer's rate of false ends", heard[half], tried_out[0])
    print_crosswise(heard, tried_out[0])
    if options.plot:
        plot(options.plot, heard["report"], tried_out[0])
    if not options.quick:
        noisy = heard_turns(ears, silero, noisy=True)["report"]
        print_rates(f"report half, {len(noisy)} turns in noise, {NOISE_DB} dB below speech", noisy, tried_out)
        print_noise(silero)


if __name__ == "__main__":
    main()
