"""What was understood, on to the client: captions while the person speaks, then the final transcript."""

from __future__ import annotations

import time

from silvertalk import metrics
from silvertalk.outbox import Outbox
from silvertalk.turn import Turn
from streaming.messages import TranscriptFinal, TranscriptPartial
from streaming.protocol import FinalTranscript, PartialTranscript


def tell_partial(outbox: Outbox, turn: Turn, message: TranscriptPartial) -> None:
    """Show it, but never take back what was shown as stable."""
    stable, tentative = message.stable, message.tentative
    if not stable.startswith(turn.stable):
        # Another node has the turn now: it has heard the same and is less sure of it, or not as much yet.
        heard = f"{stable} {tentative}".strip()
        if not heard.startswith(turn.stable):
            return
        stable, tentative = turn.stable, heard[len(turn.stable) :].strip()
    turn.stable = stable
    if not turn.captioned and (stable or tentative):
        turn.captioned = True
        metrics.FIRST_PARTIAL_SECONDS.observe(time.time() - turn.started_at)
    event = PartialTranscript(turn=turn.number, stable=stable, tentative=tentative, upto_sample=message.upto_sample)
    outbox.tell(event, journaled=False)


def tell_final(outbox: Outbox, turn: Turn, message: TranscriptFinal) -> None:
    """These are the words of the utterance; the turn keeps them."""
    turn.transcript = message.text
    turn.transcript_is_final = True
    turn.timings_ms["final_pass"] = message.pass_ms
    outbox.tell(
        FinalTranscript(
            turn=turn.number,
            text=message.text,
            language=message.language,
            rejected=message.rejected,
            confidence=message.confidence,
        )
    )
