"""Does a language model keep to who 복실이 is: `python -m benchmarks.persona`.

Every conversation of `persona_conversations.json` is held with each engine of `--engines`, by the rules of
`gpu_node.register` (form) and `gpu_node.conduct` (against what was said and is known). Without `--engines`: the offline
listener, a scripted model behind the stand-in of Gemini, and Gemini itself where `GEMINI_API_KEY` is set; `llama` and
`openai` are asked as the node's settings have them.

The scripted model says the good replies of the set, over a real socket and through Gemini's engine and the cutting into
sentences; then the faulty ones, of which the checks must find each, both as it was written and as it would be spoken:
the digits, emoji and markdown that a node takes out are mended then.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

from benchmarks.persona_set import Conversation, Report, conversations, faults_of, faulty, held, spoken
from gpu_node.engines import LanguageModel
from gpu_node.engines.catalogue import llm_chain
from gpu_node.engines.gemini import GeminiLlm
from gpu_node.persona import PERSONA_VERSION
from gpu_node.settings import NodeSettings
from gpu_node.weights import Weights
from silvertalk.standins.gemini import GeminiStandIn, Scenario, saying
from silvertalk.standins.gemini_requests import Asked
from silvertalk.standins.serving import served
from streaming.messages import Language

SCRIPTED = "scripted"


@dataclass(frozen=True)
class Detected:
    """Of the faulty replies: in how many the fault was found, as written and as spoken, and what was overlooked."""

    replies: int
    written: int
    spoken: int
    overlooked: tuple[str, ...]


async def scripted(wanted: list[Conversation]) -> tuple[Report, Detected]:
    """The good replies, and the faulty ones, from a model behind the stand-in of Gemini."""
    script = {turn.said: turn.good for conversation in wanted for turn in conversation.turns}
    repeated = {
        (turn.said, sum(other.said == turn.said for other in conversation.turns[:place])): turn.good
        for conversation in wanted
        for place, turn in enumerate(conversation.turns)
    }

    def answer(asked: Asked) -> Scenario:
        said = asked.heard.split("\n")[-1]
        before = sum(text.split("\n")[-1] == said for role, text in asked.conversation[:-1] if role == "user")
        return saying(repeated.get((said, before), script.get(said, "")), between_ms=0)

    stand_in = GeminiStandIn()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(stand_in.app))
        llm = GeminiLlm("a-key", base_url=url)
        stack.push_async_callback(llm.aclose)
        stand_in.answer_by(answer)
        report = await held(llm, wanted)
        return Report(SCRIPTED, report.answers), await _detected(stand_in, llm)


async def _detected(stand_in: GeminiStandIn, llm: GeminiLlm) -> Detected:
    rows = faulty()
    written, heard, overlooked = 0, 0, []
    for row in rows:
        found = any(rule == row.rule for rule, _ in faults_of(row.reply, row.request))
        stand_in.answer_next(saying(row.reply, between_ms=0))
        reply = await spoken(llm, row.request)
        written += found
        heard += any(rule == row.rule for rule, _ in faults_of(reply, row.request))
        if not found:
            overlooked.append(f"{row.rule}: {row.reply}")
    return Detected(len(rows), written, heard, tuple(overlooked))


async def real(name: str, settings: NodeSettings, wanted: list[Conversation], pause_seconds: float) -> Report:
    """An engine as a node builds it."""
    weights = Weights(models_root=settings.models_root, cache=settings.cache_dir, offline=settings.offline)
    llm = cast(LanguageModel, llm_chain(name, settings, weights))
    try:
        await llm.warm_up()
        return await held(llm, wanted, pause_seconds=pause_seconds)
    finally:
        await llm.aclose()


def halves(report: Report) -> dict[str, Report]:
    """What the listener was mended on, and what not."""
    named = {"tuned": False, "held out": True}
    return {
        name: Report(report.engine, [a for a in report.answers if a.conversation.held_out == held_out])
        for name, held_out in named.items()
    }


def table(report: Report, seconds: float) -> None:
    turns = len(report.answers)
    share = f"{report.clean} without a fault ({report.clean / turns:.1%})"
    print(f"\n{report.engine}: {turns} turns, {share}, {seconds:.1f} s")
    for name, half in halves(report).items():
        print(f"  {name}: {half.clean} of {len(half.answers)}")
    faults = ", ".join(f"{rule} {count}" for rule, count in report.by_rule().most_common())
    print(f"  faults: {faults or 'none'}")
    subjects = ", ".join(f"{name} {clean}/{all_}" for name, (clean, all_) in sorted(report.by_subject().items()))
    print(f"  {subjects}")


def show(report: Report) -> None:
    for answer in report.answers:
        if answer.faults:
            print(f"  [{answer.conversation.name}] {answer.turn.said}\n    -> {answer.reply}")
            print("    " + "; ".join(f"{rule}: {detail}" for rule, detail in answer.faults))


async def run(engines: list[str], languages: list[Language], *, pause_seconds: float, showing: bool) -> None:
    wanted = [conversation for conversation in conversations() if conversation.language in languages]
    print(f"persona {PERSONA_VERSION}: {len(wanted)} conversations, {sum(len(c.turns) for c in wanted)} turns")
    for name in engines:
        began = time.monotonic()
        detected = None
        if name == SCRIPTED:
            report, detected = await scripted(wanted)
        else:
            report = await real(name, NodeSettings.read(), wanted, pause_seconds)
        table(report, time.monotonic() - began)
        if showing:
            show(report)
        if detected:
            print(
                f"  faulty replies: {detected.replies}, found as written {detected.written},"
                f" still there as spoken {detected.spoken}"
            )
            for line in detected.overlooked:
                print(f"    overlooked {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = ["reflective", SCRIPTED, *(["gemini"] if os.environ.get("GEMINI_API_KEY") else [])]
    parser.add_argument("--engines", nargs="+", default=usual, metavar="ENGINE")
    parser.add_argument("--languages", nargs="+", choices=("ko", "en"), default=["ko", "en"])
    parser.add_argument("--show", action="store_true", help="print the replies with faults")
    parser.add_argument(
        "--pause", type=float, default=0.0, metavar="SECONDS", help="before each reply; not of `scripted`"
    )
    options = parser.parse_args()
    asyncio.run(run(options.engines, options.languages, pause_seconds=options.pause, showing=options.show))


if __name__ == "__main__":
    main()
