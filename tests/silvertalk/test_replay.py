import asyncio
import io
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from silvertalk.client import ConnectionLost, Received
from silvertalk.replay.clips import Clip
from silvertalk.replay.command import replay_command
from silvertalk.replay.losses import LossLog, LossRow
from silvertalk.replay.measure import Timeline, turn_rows
from silvertalk.replay.microphone import FRAME_SAMPLES, room_tone
from silvertalk.replay.report import MEASURED, Report, Spread, TurnRow, summarise
from silvertalk.replay.run import deal, replay
from silvertalk.replay.speech_ends import Pcm, Span
from silvertalk.replay.table import show
from silvertalk.replay.turn_log import TurnLog
from streaming import protocol
from streaming.audio import write_wav
from streaming.protocol import ServerEvent
from tests.silvertalk.fake_gateway import OUTPUT_RATE, FakeGateway, Script
from tests.silvertalk.test_speech_ends import RATE, room, voice
from tests.tcp_proxy import tcp_proxy

WAIT_MS = 200
SHORT = Script(tone_seconds=0.1)

KEYS = {
    "file",
    "client",
    "turn",
    "transcript",
    "first_partial_ms",
    "final_ms",
    "wait_ms",
    "reply_latency_ms",
    "reply_audio_seconds",
    "reply_text",
    "error",
    "because",
    "speculation",
    "merges",
}


def clip(*parts: Pcm, name: str = "a.wav", reference: str | None = SHORT.transcript, silent: bool = False) -> Clip:
    """A clip whose even parts are speech and whose odd ones are not; `silent` turns that about."""
    edges = np.cumsum([0, *(len(part) for part in parts)])
    spans = [Span(int(a), int(b)) for a, b in zip(edges, edges[1:], strict=False)][::2]
    return Clip(
        name=name,
        pcm=np.concatenate(parts),
        language="ko",
        reference=reference,
        baseline_cer=None,
        has_speech=not silent,
        speech=() if silent else tuple(spans),
    )


async def run(gateway: FakeGateway, *clips: Clip, clients: int = 1, patience_seconds: float = 10.0) -> Report:
    async with gateway.serve(), asyncio.timeout(60):
        return await replay(clips, gateway.url, clients=clients, patience_seconds=patience_seconds)


def shown(report: Report, width: int = 120) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    show(report, console)
    return console.export_text()


async def test_one_file_one_turn() -> None:
    report = await run(FakeGateway([SHORT]), clip(voice(0.6), room(0.1)))
    (turn,), (file,) = report.turns, report.files
    assert (turn.turn, turn.transcript, turn.reply_text) == (1, SHORT.transcript, "정말 그래요. 산책하셨어요?")
    assert turn.reply_audio_seconds == pytest.approx(0.2)
    assert (turn.wait_ms, turn.source, turn.outcome, turn.committed, turn.cut) == (
        WAIT_MS,
        "scripted",
        "completed",
        True,
        False,
    )
    assert (turn.partials, turn.stable_retractions, turn.final_retractions) == (2, 0, 0)
    assert turn.first_partial_ms is not None and turn.endpoint_ms is not None
    assert turn.final_ms is not None and turn.reply_latency_ms is not None
    assert 0 < turn.first_partial_ms
    assert 0 < turn.endpoint_ms <= turn.final_ms <= turn.reply_latency_ms
    assert turn.beyond_wait_ms == pytest.approx(turn.reply_latency_ms - WAIT_MS)
    assert (file.transcript, file.cer, file.answered, file.turns) == (SHORT.transcript, 0.0, True, 1)
    assert report.ok
    assert report.summary.answered_percent == 100.0
    assert report.summary.long_clips == 0


async def test_a_pause_makes_two_turns_of_a_file_and_its_words_are_joined() -> None:
    scripts = [Script("하나 둘", partials=(("하나", ""),), tone_seconds=0.05), Script("셋 넷", tone_seconds=0.05)]
    spoken = clip(voice(0.5), room(0.9), voice(0.5), reference="하나, 둘, 셋, 다섯")
    report = await run(FakeGateway(scripts), spoken)
    first, second = report.turns
    assert (first.turn, second.turn) == (1, 2)
    assert (first.speech_end_s, second.speech_start_s, second.speech_end_s) == (0.5, 1.4, 1.9)
    assert report.files[0].transcript == "하나 둘 셋 넷"
    assert report.files[0].cer == pytest.approx(2 / 6)


async def test_a_reply_that_is_talked_over_is_interrupted_and_the_file_still_answered() -> None:
    scripts = [Script(tone_seconds=5.0, transcript="하나"), Script(tone_seconds=0.05, transcript="둘")]
    report = await run(FakeGateway(scripts), clip(voice(0.5), room(0.7), voice(0.5), reference=None))
    assert [(turn.outcome, turn.transcript) for turn in report.turns] == [("interrupted", "하나"), ("completed", "둘")]
    assert report.files[0].answered and report.files[0].cer is None


async def test_a_turn_that_is_ended_in_the_midst_of_speech_is_cut() -> None:
    whole = clip(voice(0.5), room(0.4), voice(0.5))
    in_one_breath = Clip(
        name="a", pcm=whole.pcm, language="ko", reference=None, baseline_cer=None, has_speech=True,
        speech=(Span(0, len(whole.pcm)),),
    )  # fmt: skip
    report = await run(FakeGateway([SHORT]), in_one_breath)
    assert [turn.cut for turn in report.turns] == [True, False]
    assert report.summary.cut_turns == 1


async def test_a_file_nobody_answered_has_one_row_of_nulls() -> None:
    report = await run(FakeGateway(), clip(room(0.3), reference=None, silent=True))
    (turn,) = report.turns
    assert (turn.turn, turn.transcript, turn.wait_ms, turn.reply_latency_ms, turn.error) == (None,) * 5
    assert report.files[0].transcript == ""
    assert (report.ok, report.summary.answered_percent) == (True, None)


async def test_speech_without_an_answer_is_no_success() -> None:
    report = await run(FakeGateway([Script(then="ignore")]), clip(voice(0.5)), patience_seconds=0.5)
    assert not report.ok
    assert report.turns[0].error is not None and "not over" in report.turns[0].error
    assert report.turns[0].wait_ms == WAIT_MS
    assert (report.files[0].cer, report.files[0].answered) == (1.0, False)


async def test_a_rejected_transcript_is_no_error() -> None:
    report = await run(FakeGateway([Script(rejected="invented")]), clip(voice(0.5), reference=None, silent=True))
    (turn,) = report.turns
    assert (turn.rejected, turn.transcript, turn.outcome, turn.error) == ("invented", "", "nothing_heard", None)
    assert turn.final_retractions == 1, "captions had called words stable"
    assert report.summary.answered_without_speech == 0


async def test_an_answer_to_noise_is_counted() -> None:
    report = await run(FakeGateway([SHORT]), clip(voice(0.4), reference=None, silent=True))
    assert (report.summary.files_without_speech, report.summary.answered_without_speech) == (1, 1)


async def test_what_the_server_says_went_wrong_stands_in_the_row() -> None:
    report = await run(FakeGateway([Script(then="fail")]), clip(voice(0.4)))
    assert report.turns[0].error == "no_node: nobody"
    assert report.turns[0].problems == ["no_node: nobody"]
    assert report.summary.errors == 1 and not report.ok


async def test_after_a_connection_lost_for_good_the_next_file_has_a_new_one() -> None:
    gateway = FakeGateway([Script(then="hang_up", hang_up_code=4409)])
    report = await run(gateway, clip(voice(0.4), name="a"), clip(room(0.1), name="b", silent=True, reference=None))
    assert [(file.file, file.error) for file in report.files] == [
        ("a", "the server closed the connection (4409: scripted)"),
        ("b", None),
    ]
    assert gateway.sockets == 2


async def test_lost_connections_are_counted_and_cost_no_answer() -> None:
    spoken = clip(voice(0.6), room(0.1))
    gateway = FakeGateway([Script(tone_seconds=0.5, between_seconds=0.05)])
    async with gateway.serve(), tcp_proxy(gateway.url) as proxy, asyncio.timeout(60):
        proxy.cut_after(12_000, "up")
        speaking = asyncio.create_task(replay([spoken], proxy.url))
        await proxy.cut_happened(1)
        proxy.cut_after(8_000, "down")
        report = await speaking
    (turn,), (file,) = report.turns, report.files
    assert (turn.speech_start_s, turn.speech_end_s, turn.wait_ms, turn.error) == (0.0, 0.6, WAIT_MS, None)
    assert file.answered and report.ok
    assert turn.reply_audio_seconds == pytest.approx(1.0)
    first, second = report.losses
    assert (first.close_code, first.resumed, first.next_sample_ms) == (1006, True, None)
    assert second.resumed and second.ready_ms is not None and second.next_sample_ms is not None
    assert 0 < second.ready_ms <= second.next_sample_ms
    summary = report.summary
    assert (summary.connections_lost, summary.connections_resumed, summary.lost_to_ready_ms.count) == (2, 2, 2)
    assert (summary.lost_to_next_sample_ms.count, summary.silence_ms.count) == (1, 1)
    assert "2 of 2" in shown(report)


async def test_a_session_that_was_lost_is_an_error_of_the_file_and_the_next_is_measured() -> None:
    gateway = FakeGateway([Script(tone_seconds=2.0), SHORT])
    clips = [clip(voice(0.4), name="a"), clip(voice(0.4), room(0.2), name="b")]
    async with gateway.serve(), tcp_proxy(gateway.url) as proxy, asyncio.timeout(60):
        proxy.cut_after(10_000, "down")
        speaking = asyncio.create_task(replay(clips, proxy.url))
        await proxy.cut_happened(1)
        for session in gateway.sessions.values():
            await session.end()
        gateway.sessions.clear()
        report = await speaking
    lost, found = report.files
    assert lost.error is not None and "the session was lost: unknown_session" in lost.error
    assert found.error is None and found.answered
    assert [row.speech_end_s for row in report.turns if row.file == "b"] == [0.4]
    assert [loss.resumed for loss in report.losses] == [False]


async def test_nobody_at_the_address_is_an_error_of_every_file() -> None:
    async with FakeGateway().serve() as gateway:
        pass
    report = await replay([clip(voice(0.2), name="a"), clip(voice(0.2), name="b")], gateway.url)
    assert [file.answered for file in report.files] == [False, False]
    assert report.summary.errors == 2


async def test_clients_speak_at_once_each_as_another_guest() -> None:
    gateway = FakeGateway([SHORT])
    clips = [clip(voice(0.4), name=name) for name in "abc"]
    report = await run(gateway, *clips, clients=3)
    assert {(file.file, file.client) for file in report.files} == {("a", 1), ("b", 2), ("c", 3)}
    assert gateway.sockets == len(set(gateway.guests)) == 3
    assert report.ok


def test_dealing() -> None:
    clips = [clip(voice(0.1), name=name) for name in "abcde"]
    assert ["".join(one.name for one in hand) for hand in deal(clips, 2)] == ["ace", "bd"]
    assert ["".join(one.name for one in hand) for hand in deal(clips[:2], 3)] == ["a", "b", "a"]
    with pytest.raises(ValueError, match="at least one"):
        deal([], 1)


def test_the_room_after_a_clip_is_quiet_and_silence_stays_silent() -> None:
    loud = room_tone(room(1.0, level=3000.0)).astype(np.float64)
    assert 20 * np.log10(np.sqrt(np.mean(loud**2)) / 32768) == pytest.approx(-50, abs=0.5)
    assert np.std(room_tone(np.concatenate((voice(1.0), room(0.5, level=10.0))))) == pytest.approx(10, rel=0.2)
    assert not room_tone(np.zeros(RATE, np.int16)).any()
    assert len(room_tone(np.zeros(10, np.int16))) > FRAME_SAMPLES


def test_retractions_are_counted_apart() -> None:
    log = TurnLog()
    captions = ["오늘은", "오늘은 날씨가", "오늘의 날씨가", "오늘의 날씨가 좋"]
    for number, stable in enumerate(captions):
        event = protocol.PartialTranscript(turn=1, stable=stable, tentative="", upto_sample=number)
        log.take(Received(event, float(number)))
    for text in ("오늘의 날씨가, 좋네요!", "오늘의 날씨는 좋네요"):
        final = protocol.FinalTranscript(turn=1, text=text, language="ko", rejected="", confidence=0.0)
        log.take(Received(final, 9.0))
    assert (log.turns[1].stable_retractions, log.turns[1].final_retractions, log.turns[1].partials) == (1, 1, 4)


def test_late_news_of_an_earlier_turn_is_not_of_this_file() -> None:
    log = TurnLog(after=3)
    log.take(Received(protocol.TurnCommitted(turn=3, outcome="completed", heard=""), 1.0))
    log.take(Received(protocol.SpeechBegan(turn=4, sample=0), 2.0))
    assert (list(log.turns), log.last_turn) == ([4], 4)


def ended(at: float, **fields: object) -> tuple[ServerEvent, float]:
    known = {"turn": 1, "end_sample": int(at), "wait_ms": 700, "reason": "silence"}
    return protocol.TurnEnded(**known | fields), at  # type: ignore[arg-type]


def sentence(at: float, reply: int, number: int, text: str, source: str = "llama") -> list[tuple[ServerEvent, float]]:
    """Its text, and 10 samples of its sound half a second later."""
    spoken = protocol.SpokenText(turn=1, reply=reply, sentence=number, text=text, source=source)
    audio = protocol.SpokenAudio(
        turn=1, reply=reply, sentence=number, sequence=number, first_sample=10 * number, samples=10
    )
    return [(spoken, at), (audio, at + 0.5)]


def logged(*told: tuple[ServerEvent, float]) -> TurnLog:
    log = TurnLog()
    for event, at in told:
        log.take(Received(event, at))
    return log


def done(at: float, reply: int, reason: protocol.ReplyReason) -> tuple[ServerEvent, float]:
    ended_reply = protocol.ReplyEnded(
        turn=1, reply=reply, reason=reason, source="llama", audio_samples=10, timings_ms={}
    )
    return ended_reply, at


def test_a_turn_that_the_person_went_on_with_is_measured_by_its_last_answer() -> None:
    log = logged(
        ended(1.0, because="words", ending="closes"),
        *sentence(1.0, 1, 0, "그러셨군요."),
        done(1.6, 1, "completed"),
        (protocol.Flush(turn=1, upto_sample=10), 2.0),
        (protocol.PartialTranscript(turn=1, stable="", tentative="하나 둘", upto_sample=9), 2.5),
    )
    (turn,) = log.turns.values()
    assert (turn.merges, turn.outcome, turn.reply_text, turn.first_audio_at) == (1, "", "", None), "not over yet"
    for event, at in [
        ended(5.0, because="both", ending="asks", end_probability=0.9, speculation="hit"),
        *sentence(5.0, 2, 1, "어디였어요?"),
        done(5.6, 2, "completed"),
    ]:
        log.take(Received(event, at))
    assert (turn.first_audio_at, turn.audio_samples, turn.end_sample, turn.reply_text) == (5.5, 10, 5, "어디였어요?")
    assert (turn.because, turn.ending, turn.end_probability, turn.speculation) == ("both", "asks", 0.9, "hit")
    assert (turn.merges, turn.outcome) == (1, "completed")


def test_an_interrupted_turn_is_no_merged_one() -> None:
    log = logged(
        ended(1.0), *sentence(1.0, 1, 0, "그러셨군요."), (protocol.Flush(turn=1, upto_sample=10), 2.0),
        done(2.0, 1, "interrupted"), (protocol.SpeechBegan(turn=2, sample=2), 2.0),
        (protocol.PartialTranscript(turn=2, stable="", tentative="아니", upto_sample=9), 2.5),
    )  # fmt: skip
    assert [(turn.merges, turn.reply_text) for turn in log.turns.values()] == [(0, "그러셨군요."), (0, "")]


def test_a_filler_is_no_answer() -> None:
    log = logged(ended(1.0), *sentence(2.0, 1, 0, "음…", "filler"), *sentence(3.0, 1, 1, "글쎄요."))
    turn = log.turns[1]
    assert (turn.first_filler_at, turn.first_audio_at, turn.reply_text, turn.source) == (2.5, 3.5, "글쎄요.", "llama")


def test_a_voice_that_was_not_for_the_puppy_is_no_turn() -> None:
    def duck(ducked: bool, because: str, at: float) -> tuple[ServerEvent, float]:
        return protocol.Duck(turn=1, ducked=ducked, because=because), at

    def voice_over(at: float) -> tuple[ServerEvent, float]:
        return protocol.SpeechBegan(turn=2, sample=int(at)), at

    log = logged(
        ended(1.0), duck(True, "", 2.0), voice_over(2.0), duck(False, "echo", 2.5),
        duck(True, "", 3.0), voice_over(3.0), duck(False, "back_channel", 3.5), duck(True, "", 4.0),
    )  # fmt: skip
    assert list(log.turns) == [1] and log.turns[1].ducks == ["echo", "back_channel", ""]
    for event, at in [voice_over(4.0), duck(False, "echo", 4.1), duck(False, "speech", 4.5), voice_over(4.5)]:
        log.take(Received(event, at))
    assert log.turns[1].ducks[-1] == "speech" and list(log.turns) == [1, 2]


def test_a_word_into_a_long_silence_answers_nobody() -> None:
    spoken = clip(voice(0.3))
    log = logged((protocol.FloorMoved(state="open", turn=0), 0.0), *sentence(31.0, 1, 0, "계세요?", "prompt"))
    timeline = Timeline(first_sample=0, captured_at=lambda sample: sample, sent_at=lambda captured: captured / RATE)
    (row,) = turn_rows(spoken, 1, log, timeline, OUTPUT_RATE)
    assert (row.turn, row.reply_audio_seconds) == (None, 0.0)


def test_replies_made_beforehand_are_counted() -> None:
    log = logged(
        (protocol.Speculation(turn=1, state="started"), 0.1), (protocol.Speculation(turn=1, state="missed"), 0.2),
        (protocol.Speculation(turn=1, state="started"), 0.3), ended(1.0, speculation="hit"),
    )  # fmt: skip
    assert (log.turns[1].speculations, log.turns[1].speculations_missed, log.turns[1].speculation) == (2, 1, "hit")


async def test_a_person_who_goes_on_after_the_reply_began_has_one_turn_and_its_last_answer() -> None:
    goes_on = Script("하나", merged="하나 둘", tone_seconds=2.0, between_seconds=0.1)
    report = await run(FakeGateway([goes_on]), clip(voice(0.5), room(0.7), voice(0.5), reference=None))
    (turn,) = report.turns
    assert (turn.turn, turn.merges, turn.transcript, turn.outcome) == (1, 1, "하나 둘", "completed")
    assert turn.reply_text == "정말 그래요. 산책하셨어요?"
    assert turn.reply_audio_seconds == pytest.approx(4.0) and turn.speech_end_s == 1.7
    assert turn.reply_latency_ms is not None and turn.reply_latency_ms > WAIT_MS
    assert report.summary.merges == 1 and report.files[0].answered
    assert "replies taken back" in shown(report)


def test_speech_is_measured_where_it_was_spoken_though_samples_were_lost() -> None:
    spoken = clip(voice(1.0), room(1.0), voice(1.0))
    lost = RATE // 2  # of the room between, so that the session counts what follows as half a second earlier
    timeline = Timeline(
        first_sample=100,
        captured_at=lambda sample: sample if sample < 100 + RATE else sample + lost,
        sent_at=lambda captured: captured / RATE,
    )
    log = TurnLog()
    for turn, began, end in ((1, 0, RATE - 100), (2, 2 * RATE - lost, 3 * RATE - lost)):
        log.take(Received(protocol.SpeechBegan(turn=turn, sample=100 + began), 0.0))
        log.take(Received(protocol.TurnEnded(turn=turn, end_sample=100 + end, wait_ms=200, reason="silence"), 9.0))
    first, second = turn_rows(spoken, 1, log, timeline, OUTPUT_RATE)
    assert (first.speech_start_s, first.speech_end_s) == (0.0, 1.0)
    assert (second.speech_start_s, second.speech_end_s, second.cut) == (2.0, 3.0, False)
    assert second.endpoint_ms == pytest.approx((9.0 - 3.0) * 1000, abs=10)


def test_what_a_lost_connection_cost() -> None:
    def audio(turn: int) -> protocol.SpokenAudio:
        return protocol.SpokenAudio(turn=turn, reply=1, sentence=0, sequence=0, first_sample=0, samples=10)

    def lost(to_play: float) -> ConnectionLost:
        return ConnectionLost(close_code=1006, reason="", playing=1, seconds_to_play=to_play)

    def ready(resumed: bool) -> protocol.Ready:
        return protocol.Ready(
            session="s", language="ko", input_rate=RATE, output_rate=OUTPUT_RATE, microphone_sample=0, resumed=resumed,
            resume_seconds=120,
        )  # fmt: skip

    def done(turn: int) -> protocol.ReplyEnded:
        return protocol.ReplyEnded(turn=turn, reply=1, reason="completed", source="", audio_samples=10, timings_ms={})

    log = LossLog(7, began=100.0)
    told: list[tuple[ServerEvent | ConnectionLost, float]] = [
        (audio(1), 101.0),
        (lost(0.5), 102.0), (ready(True), 102.25), (audio(1), 103.0), (audio(1), 104.0),
        (lost(2.0), 105.0), (ready(True), 105.5), (audio(1), 106.0), (done(1), 106.5),
        (lost(1.0), 107.0), (ready(True), 107.5), (audio(2), 108.0),
        (lost(1.0), 109.0), (ready(False), 109.5), (audio(2), 110.0),
        (lost(0.0), 111.0),
    ]  # fmt: skip
    for event, at in told:
        log.take(Received(event, at))
    assert log.rows == [
        LossRow(7, 1006, 2.0, True, 250.0, 1000.0, 500.0),
        LossRow(7, 1006, 5.0, True, 500.0, 1000.0, 0.0),
        LossRow(7, 1006, 7.0, True, 500.0),
        LossRow(7, 1006, 9.0, False, 500.0),
        LossRow(7, 1006, 11.0),
    ]


def test_spreads() -> None:
    assert Spread.of([]) == Spread(None, None, None, 0)
    assert Spread.of([None, 1.0, 2.0, 3.0]) == Spread(2.0, 2.8, 3.0, 3)


# --- the command -----------------------------------------------------------------------------------------------------


def invoke(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(replay_command)
    result = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "160"})
    return result.exit_code, result.output


async def test_the_command_writes_json_plot_and_replies(tmp_path: Path) -> None:
    wav = tmp_path / "ko" / "인사.wav"
    wav.parent.mkdir()
    write_wav(wav, np.concatenate((voice(0.5), room(0.4))).tobytes())
    row = {"file": "ko/인사.wav", "transcript": SHORT.transcript, "lang": "ko"}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    async with FakeGateway([SHORT]).serve() as gateway:
        code, output = await asyncio.to_thread(
            invoke, str(wav), "--url", gateway.url, "--manifest", str(tmp_path / "manifest.jsonl"),
            "--json", str(tmp_path / "out" / "r.json"), "--plot", str(tmp_path / "r.png"),
            "--save-audio", str(tmp_path / "replies"),
        )  # fmt: skip
    assert code == 0, output
    assert "1 of 1" in output and "정말 그래요." in output
    written = json.loads((tmp_path / "out" / "r.json").read_text())
    assert set(written) == {"turns", "files", "losses", "summary"}
    assert KEYS <= set(written["turns"][0])
    assert {"file", "transcript", "reference", "cer"} <= set(written["files"][0])
    assert written["summary"]["reply_latency_ms"]["count"] == 1
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    (saved,) = (tmp_path / "replies").iterdir()
    assert str(saved) == written["turns"][0]["reply_audio"]
    assert saved.stat().st_size == 44 + 2 * int(0.2 * OUTPUT_RATE)


async def test_the_commands_exit_code_tells_of_silence_and_of_mistakes(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", voice(0.5).tobytes())
    gateway = FakeGateway([Script(then="fail")])
    async with gateway.serve():
        code, output = await asyncio.to_thread(invoke, str(tmp_path / "a.wav"), "--url", gateway.url)
    assert code == 1 and "no_node" in output
    assert invoke(str(tmp_path / "absent.wav"))[0] == 2
    code, output = await asyncio.to_thread(invoke, str(tmp_path / "a.wav"), "--url", gateway.url)  # it is gone
    assert (code, len(output.splitlines())) == (2, 1)
    assert output.startswith(f"Nothing could be said at {gateway.url}: ")
    assert invoke(str(tmp_path / "a.wav"), "--plot", str(tmp_path / "a.doc"))[0] == 2


def test_80_columns_hold_every_heading_and_figure() -> None:
    row = TurnRow(
        file="somewhere/ko/a_recording_with_a_long_name.wav",
        client=1,
        turn=12,
        transcript="저는 부산에서 태어났어요. 여름마다 온 가족이 바다에 갔어요.",
        reply_text="부산이라는 말씀이 귀에 들어왔어요.",
        reply_audio_seconds=16.8,
        because="pauses",
        ending="trails",
        end_probability=0.87,
        speculation="none",
    )
    for name in MEASURED:
        setattr(row, name, 12345.0)
    summary = summarise([row], [], url="", clients=1, losses=[], lateness_ms=[], wall_seconds=1.0)
    printed = shown(Report([row], [], summary), width=80)
    assert "…" not in printed and "somewhere" not in printed
    words = set(printed.split())
    assert words >= {"caption", "final", "wait", "reply", "audio", "because", "sounds", "ended", "ready", "dropped"}
    assert words >= {"beyond", "merges", "pauses", "trails", "0.87", "none", "12345", "16.8", "1:12", "heard"}


def test_markup_in_what_was_heard_is_text() -> None:
    report = asyncio.run(run(FakeGateway([Script(transcript="[red]빨강[/blue]", tone_seconds=0.05)]), clip(voice(0.4))))
    assert "[red]빨강[/blue]" in shown(report)
