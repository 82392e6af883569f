"""The page's arithmetic, in the browser that will do it: sample rates, the jitter buffer, what resuming takes."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from silvertalk.distress import Kind
from silvertalk.overlap import Verdict
from silvertalk.repair import Request
from streaming.endings import Ending
from streaming.endpointing import Because
from streaming.floor import Floor
from streaming.messages import APOLOGY
from tests.browser import needs_chromium
from tests.web_demo.serving import loaded

pytestmark = needs_chromium


async def run(script: str) -> Any:
    """What a script returns, with the page's modules to import."""
    async with loaded() as tab:
        return await tab.run(f"(async () => {{ {script} }})()")


RANDOM = """
    let seed = 1;
    const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
    const upTo = (most) => Math.floor(random() * (most + 1));
"""

RESAMPLED = """
    const { Resampler } = await import('/demo/resampler.js');
    const tone = (rate, hz, seconds) =>
      Float32Array.from({ length: rate * seconds }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate));
    const decibels = (rate, out, hz, seconds) => {
      const resampler = new Resampler(rate, out);
      const made = resampler.process(tone(rate, hz, seconds)).slice(out / 10);
      return 20 * Math.log10(Math.sqrt((2 * made.reduce((sum, x) => sum + x * x, 0)) / made.length) / 0.5 + 1e-9);
    };
"""


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
async def test_the_microphones_resampler_keeps_speech_and_drops_what_would_fold(rate: int) -> None:
    kept, edge, folded = await run(
        RESAMPLED
        + f"return [decibels({rate}, 16000, 1000, 1), decibels({rate}, 16000, 6500, 1), "
        + (f"decibels({rate}, 16000, 10000, 1)];" if rate > 20_000 else "-100];")
    )
    assert abs(kept) < 0.2
    assert abs(edge) < 1.0
    assert folded < -40


@pytest.mark.parametrize("rate", [44_100, 48_000])
async def test_no_sample_is_lost_or_made_up_in_a_minute(rate: int) -> None:
    counts = await run(
        RESAMPLED
        + f"""
        const down = new Resampler({rate}, 16000);
        const up = new Resampler(24000, {rate});
        const block = new Float32Array(128);
        let heard = 0, took = 0, exact = true;
        for (let at = 0; at < 60 * {rate}; at += 128) {{
          heard += down.process(block.subarray(0, Math.min(128, 60 * {rate} - at))).length;
          const needed = up.needed(128);
          exact &&= up.process(new Float32Array(needed), 128).length === 128;
          took += needed;
        }}
        return {{ heard, took, exact, blocks: Math.ceil((60 * {rate}) / 128) }};
        """
    )
    assert counts["heard"] == 960_000
    assert counts["exact"]
    assert abs(counts["took"] - counts["blocks"] * 128 * 24_000 / rate) <= 1


async def test_how_a_sound_is_cut_into_blocks_does_not_show() -> None:
    furthest = await run(
        RESAMPLED
        + RANDOM
        + """
        const sound = Float32Array.from({ length: 20000 }, () => random() - 0.5);
        let furthest = 0;
        for (const [from, to] of [[44100, 16000], [24000, 48000], [24000, 44100]]) {
          const whole = new Resampler(from, to).process(sound).slice();
          const pieces = new Resampler(from, to);
          let made = 0;
          for (let at = 0; at < sound.length; ) {
            const size = upTo(300);
            for (const x of pieces.process(sound.subarray(at, at + size))) {
              furthest = Math.max(furthest, Math.abs(x - whole[made++]));
            }
            at += size;
          }
          if (made !== whole.length) return 'count';
        }
        return furthest;
        """
    )
    assert furthest == 0


JITTER = """
    const { JitterBuffer } = await import('/demo/jitter-buffer.js');
    const rate = 24000;
    const ms = (n) => (n * rate) / 1000;
    const steps = (first, count) => Float32Array.from({ length: count }, (_, i) => (first + i + 1) / 1e6);
    const read = (buffer, count) => { const out = new Float32Array(count); buffer.read(out); return out; };
"""


async def test_the_jitter_buffer_plays_each_sample_once_however_it_comes() -> None:
    """Pieces of any size, some of them told twice, read in blocks of any size: after a resumption it is so."""
    wrong = await run(
        JITTER
        + RANDOM
        + """
        for (let round = 0; round < 50; round += 1) {
          const buffer = new JitterBuffer(rate);
          const total = 5000 + upTo(20000);
          for (let at = 0; at < total; ) {
            const size = Math.min(1 + upTo(4800), total - at);
            const back = upTo(Math.min(at, 9600));
            buffer.add(1, at - back, steps(at - back, size + back));
            if (random() < 0.3) buffer.add(1, 0, steps(0, at));
            at += size;
          }
          buffer.finish(1);
          const heard = [];
          while (buffer.turn) heard.push(...read(buffer, 1 + upTo(700)));
          const fade = ms(5);
          for (let i = fade; i < total; i += 1) {
            if (Math.abs(heard[i] * 1e6 - i - 1) > 0.01) return `round ${round}: sample ${i} is ${heard[i] * 1e6}`;
          }
          if (buffer.playhead(1) !== total || buffer.underruns) return `round ${round}: ${buffer.playhead(1)}`;
        }
        return '';
        """
    )
    assert wrong == ""


async def test_playing_begins_with_enough_and_waits_longer_after_it_ran_dry() -> None:
    told = await run(
        JITTER
        + """
        const buffer = new JitterBuffer(rate);
        const told = { before: buffer.targetMs };
        buffer.add(1, 0, steps(0, ms(60)));
        told.early = read(buffer, ms(10)).some((x) => x !== 0);
        buffer.add(1, ms(60), steps(ms(60), ms(60)));
        told.begun = read(buffer, ms(120)).at(-1) > 0;
        read(buffer, ms(10));
        told.dry = buffer.happened.splice(0);
        told.after = buffer.targetMs;
        buffer.add(1, ms(120), steps(ms(120), ms(20)));
        let waited = 0;
        while (!buffer.playing && waited < 1000) { read(buffer, ms(10)); waited += 10; }
        told.waited = waited;
        buffer.add(2, 0, steps(0, ms(10)));
        buffer.finish(2);
        read(buffer, ms(500));
        told.next = buffer.happened.splice(0).map(({ kind, turn }) => `${kind} ${turn}`);
        buffer.add(3, 0, steps(0, ms(10)));
        buffer.finish(3);
        told.short = read(buffer, ms(10)).some((x) => x !== 0);
        return told;
        """
    )
    assert told["before"] == 100 and not told["early"] and told["begun"]
    assert told["dry"] == [{"kind": "started", "turn": 1, "samples": 0}, {"kind": "dry", "turn": 1, "samples": 2880}]
    assert told["after"] == 160
    assert told["waited"] == 160, "so little is played after all once it has waited that long"
    assert told["next"] == ["dry 1", "started 2", "dry 2"]
    assert told["short"], "of a reply that has come whole nothing more is waited for"


async def test_a_flush_ends_the_sound_within_five_milliseconds_and_knows_where() -> None:
    told = await run(
        JITTER
        + """
        const buffer = new JitterBuffer(rate);
        buffer.add(4, 0, new Float32Array(ms(1000)).fill(0.5));
        read(buffer, ms(300));
        const playhead = buffer.flush(4, ms(1000));
        const after = read(buffer, ms(50));
        buffer.add(4, ms(800), new Float32Array(ms(200)).fill(0.5));
        buffer.finish(4);
        const later = read(buffer, ms(500));
        const jumps = [...after].map((x, i) => Math.abs(x - (i ? after[i - 1] : 0.5)));
        buffer.add(5, 0, new Float32Array(ms(200)).fill(0.5));
        return {
          playhead,
          sounding: after.findLastIndex((x) => x !== 0) + 1,
          jump: Math.max(...jumps),
          later: later.some((x) => x !== 0),
          unknown: new JitterBuffer(rate).flush(9, 0),
          next: read(buffer, ms(100)).at(-1),
        };
        """
    )
    assert told["playhead"] == 7200
    assert 0 < told["sounding"] <= 120
    assert told["jump"] < 0.01, "no click"
    assert not told["later"] and told["unknown"] == 0
    assert told["next"] == 0.5


async def test_after_a_flush_a_second_reply_to_the_turn_is_played_from_where_it_begins() -> None:
    """The person went on: audio of the turn from `upto` on is another reply, whatever came of the first is not heard,
    though it is told again."""
    told = await run(
        JITTER
        + """
        const buffer = new JitterBuffer(rate);
        buffer.add(4, 0, steps(0, ms(1000)));
        buffer.finish(4);
        read(buffer, ms(300));
        const playhead = buffer.flush(4, ms(1000));
        read(buffer, ms(50));
        const told = { playhead, first: buffer.happened.splice(0) };
        buffer.add(4, ms(200), steps(ms(200), ms(800)));
        told.nothing = [buffer.turn, read(buffer, ms(500)).some((x) => x !== 0)];
        buffer.add(4, ms(900), steps(ms(900), ms(150)));
        told.waits = read(buffer, ms(10)).every((x) => x === 0);
        buffer.add(4, ms(1050), steps(ms(1050), ms(100)));
        const heard = read(buffer, ms(20));
        told.from = Math.round(heard.at(-1) * 1e6);
        told.over = buffer.over(4);
        buffer.finish(4);
        read(buffer, ms(500));
        return { ...told, second: buffer.happened.splice(0), atTheEnd: buffer.over(4), end: buffer.playhead(4) };
        """
    )
    assert told["playhead"] == 7200
    assert told["first"] == [{"kind": "started", "turn": 4, "samples": 0}]
    assert told["nothing"] == [0, False], "told again, and taken back all the same"
    assert told["waits"], "of the second reply more is waited for, though the first had come whole"
    assert told["from"] == 24_000 + 480
    assert told["second"] == [
        {"kind": "started", "turn": 4, "samples": 7200},
        {"kind": "dry", "turn": 4, "samples": 27_600},
    ], "the second reply begins, too"
    assert (told["over"], told["atTheEnd"], told["end"]) == (False, True, 27_600)


async def test_the_microphones_memory_gives_out_every_sample_once_from_wherever_it_is_asked() -> None:
    """Against a model that keeps everything: a list of all samples ever captured."""
    wrong = await run(
        RANDOM
        + """
        const { MicrophoneMemory } = await import('/demo/resume.js');
        const size = 1000;
        for (let round = 0; round < 40; round += 1) {
          const memory = new MicrophoneMemory(size);
          let captured = 0, server = 0, last = -1;
          const deliver = (piece) => {
            for (const sample of piece) {
              if (sample <= last) return `${sample} after ${last}`;
              last = sample;
            }
            server += piece.length;
            return '';
          };
          for (let step = 0; step < 300; step += 1) {
            const what = random();
            if (what < 0.5) {
              const count = 1 + upTo(40);
              memory.append(Int16Array.from({ length: count }, () => captured++));
            } else if (what < 0.8) {
              const said = deliver(memory.take(1 + upTo(60)));
              if (said) return `round ${round} step ${step}: ${said}`;
              if (memory.sent !== server) return `round ${round} step ${step}: sent ${memory.sent}, received ${server}`;
            } else if (what < 0.9) memory.acknowledge(server);
            else {
              // A cut: of what was sent since the last acknowledgement some never arrived.
              const lost = upTo(Math.min(30, server));
              server -= lost;
              last -= lost;
              memory.resumeFrom(server);
              if (memory.sent !== server) return `round ${round}: resumes at ${memory.sent}, not ${server}`;
            }
          }
          if (memory.captured - memory.sent > size) return `round ${round}: keeps too much`;
        }
        return '';
        """
    )
    assert wrong == ""


async def test_what_was_never_acknowledged_is_said_again_to_a_new_session() -> None:
    told = await run(
        """
        const { MicrophoneMemory, Position, Backoff, afterClose } = await import('/demo/resume.js');
        const memory = new MicrophoneMemory(1000);
        memory.append(Int16Array.from({ length: 500 }, (_, i) => i));
        memory.take(400);
        memory.acknowledge(300);
        memory.startAnew();
        const again = [...memory.take(1000)];
        const position = new Position();
        const news = [[1, 1], [1, 3], [1, 3], [1, 2], [2, 1], [1, 9]].map(([epoch, event]) =>
          position.advance({ epoch, event }));
        const waits = (random) => {
          const backoff = new Backoff(() => random);
          return Array.from({ length: 8 }, () => backoff.next());
        };
        const codes = [1000, 1001, 1006, 1011, 1012, 4400, 4401, 4403, 4404, 4408, 4409, 4413, 4422, 4429, 4500, 4503];
        return { again, captured: memory.captured, news, least: waits(0), most: waits(1),
                 after: Object.fromEntries(codes.map((code) => [code, afterClose(code)])) };
        """
    )
    assert told["again"] == list(range(300, 500)) and told["captured"] == 200
    assert told["news"] == [True, True, False, False, True, False]
    assert told["most"] == [200, 400, 800, 1600, 3200, 5000, 5000, 5000]
    assert told["least"] == [wait / 2 for wait in told["most"]]
    after = {int(code): what for code, what in told["after"].items()}
    assert {code for code, what in after.items() if what == "never"} == {1000, 4400, 4403, 4404, 4409, 4413, 4422}
    assert (after[1012], after[4401], after[1006], after[4408], after[4429], after[4503]) == (
        *("now", "new_token"),
        *["later"] * 4,
    )


async def test_the_page_has_words_for_whatever_a_server_may_say_of_a_turn() -> None:
    """In both languages: the floor, why it waited, how words end, what the voice was lowered for, the fixed answers."""
    endings, becauses = [str(ending) for ending in Ending], list(get_args(Because))
    known = await run(
        f"""
        const {{ WORDS }} = await import('/demo/words.js');
        const {{ Course }} = await import('/demo/course.js');
        const waits = (words) => {json.dumps(becauses)}.flatMap((because) =>
          {json.dumps(endings)}.map((ending) => {{
            const course = new Course();
            const known = {{ type: 'endpoint.wait', wait_ms: 900, because, ending, end_probability: 0.2 }};
            course.waits(known);
            return course.lines(words)[0].text;
          }}));
        return Object.values(WORDS).map((words) => ({{
          floor: Object.keys(words.floor), ending: Object.keys(words.course.ending),
          named: Object.keys(words.course.endingName), duck: Object.keys(words.course.duck),
          fixed: Object.keys(words.course.fixed), distress: Object.keys(words.distress),
          waits: waits(words), somehow: words.course.somehow,
        }}));
        """
    )
    assert len(known) == 2
    for words in known:
        assert {floor.value for floor in Floor} <= set(words["floor"])
        assert set(words["ending"]) == set(words["named"]) == set(endings)
        assert {verdict.value for verdict in Verdict} - {"undecided"} | {"finished", ""} <= set(words["duck"])
        assert {*get_args(Request), "distress", "clarification", "prompt", APOLOGY} <= set(words["fixed"])
        assert set(words["distress"]) == set(get_args(Kind))
        assert not [wait for wait in words["waits"] if wait.startswith(words["somehow"])]
