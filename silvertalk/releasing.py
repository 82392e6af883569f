"""What a node has made of a reply, on to the client: as events, with where each piece lies in the turn's reply.

The journal gets the entry of the down stream that the piece stands at, not the piece; what counts as said to the person
is noted once it was sent.
"""

from __future__ import annotations

from silvertalk.outbox import Outbox
from silvertalk.turn import Turn
from streaming.messages import APOLOGY, Released, ReplyAudio, ReplyText, Told
from streaming.protocol import ReplyEnded, ReplyReason, SpokenAudio, SpokenText


def release(outbox: Outbox, turn: Turn, entry: str, message: ReplyText | ReplyAudio) -> None:
    """Tell the client; what an earlier gateway released is only counted."""
    turn.note_progress()
    if entry in turn.recalled:
        _recall(turn, message)
    elif isinstance(message, ReplyText):
        _release_text(outbox, turn, entry, message)
    else:
        _release_audio(outbox, turn, entry, message)


def complete(outbox: Outbox, turn: Turn, reason: ReplyReason) -> None:
    """No more of the reply will come: what was released is played to its end."""
    turn.ended_attempt = turn.attempt
    number = turn.reply.number
    whole = reason == "completed" or turn.reply.source == APOLOGY  # else it broke off in the midst of a sentence

    def sent() -> None:
        if turn.reply.number == number:  # else it was taken back while it was sent
            turn.reply.all_was_sent(whole=whole)

    outbox.release(reply_ended(turn, reason), Told(event=b""), turn=turn.number, after=sent)


def reply_ended(turn: Turn, reason: ReplyReason) -> ReplyEnded:
    reply = turn.reply
    end_sample = reply.released_samples if reason in ("completed", "failed") else reply.sent_samples
    return ReplyEnded(
        turn=turn.number,
        reply=reply.number,
        reason=reason,
        source=reply.source,
        audio_samples=end_sample - reply.first_sample,
        timings_ms=turn.timings_ms,
    )


def text_event(turn: int, sentence: int, message: ReplyText) -> SpokenText:
    """One sentence, numbered through the turn, whichever node made it."""
    return SpokenText(turn=turn, reply=message.reply, sentence=sentence, text=message.text, source=message.source)


def audio_event(turn: int, sentence: int, sequence: int, first_sample: int, message: ReplyAudio) -> SpokenAudio:
    """One piece of sound, with its place within the turn's reply audio."""
    return SpokenAudio(
        turn=turn,
        reply=message.reply,
        sentence=sentence,
        sequence=sequence,
        first_sample=first_sample,
        samples=len(message.pcm) // 2,
    )


def _release_text(outbox: Outbox, turn: Turn, entry: str, message: ReplyText) -> None:
    if turn.reply.mends_sentence(message):
        return  # its text is on the client's screen since before the node died; only the sound was missing
    sentence = turn.reply.add_sentence(message)
    text = text_event(turn.number, turn.reply.last_sentence, message)
    record = Released(turn=turn.number, entry=entry)
    outbox.release(text, record, turn=turn.number, after=lambda: turn.reply.text_was_sent(sentence))


def _release_audio(outbox: Outbox, turn: Turn, entry: str, message: ReplyAudio) -> None:
    sequence, first_sample = turn.reply.place_audio(message)
    audio = audio_event(turn.number, turn.reply.last_sentence, sequence, first_sample, message)
    record = Released(turn=turn.number, entry=entry)

    def sent() -> None:
        turn.audio_was_sent(first_sample, audio.samples)

    outbox.release(audio, record, turn=turn.number, audio=message.pcm, after=sent)


def _recall(turn: Turn, message: ReplyText | ReplyAudio) -> None:
    """The client was told by the earlier gateway, or is told again as it comes back."""
    if isinstance(message, ReplyText):
        turn.reply.text_was_sent(turn.reply.add_sentence(message))
    else:
        _, first_sample = turn.reply.place_audio(message)
        turn.audio_was_sent(first_sample, len(message.pcm) // 2)
        turn.reply.play_to(turn.playhead)
