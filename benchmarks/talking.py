"""How long a person waits, and what a turn costs: the whole product, spoken to by 1, 2 and 4 clients at once.

    python -m benchmarks.talking --recordings FOLDER [--json FILE]

FOLDER holds `manifest.jsonl` and WAVs in `ko/` and `en/`. Configurations: Korean as it comes (Whisper, the reflective
listener, Kokoro), the same without captions, and English with Piper (if installed) and a scripted LLM of 150 ms to the
first token and 40 tokens a second, and engines that only take the time a GPU's would (a pass of 100 ms, speech in a
tenth of the time it lasts); all but the second also without replies begun in a pause.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.product import Running, product
from silvertalk.replay.report import Report
from silvertalk.replay.run import load_clips, replay
from streaming.endings import Ending, ending_of

STUB_LLM = "scripted:first_token_ms=150,tokens_per_second=40"


@dataclass(frozen=True)
class Configuration:
    """One way of running the product."""

    name: str
    language: str
    environment: dict[str, str] = field(default_factory=dict)


KOREAN = Configuration("Korean, Kokoro", "ko")
ENDED = {"ko": (Ending.CLOSES, Ending.ASKS), "en": (Ending.CLOSES, Ending.ASKS, Ending.OPEN)}
"""How the words of a recording end that ends where its speaker did; English shows it less."""
NO_SPECULATION = {"SPECULATIONS_PER_MINUTE": "0"}
KOREAN_NO_SPECULATION = Configuration("Korean, Kokoro, no speculation", "ko", NO_SPECULATION)
KOREAN_NO_CAPTIONS = Configuration("Korean, Kokoro, no captions", "ko", {"PARTIALS": "false"})
PIPER = {"TTS_ENGINE": "ko=kokoro,en=piper", "LLM_ENGINES": STUB_LLM}
ENGLISH = Configuration("English, Piper, stub LLM", "en", PIPER)
ENGLISH_NO_SPECULATION = Configuration("English, Piper, stub LLM, no speculation", "en", PIPER | NO_SPECULATION)
FAST = {"STT_ENGINE": "scripted:pass_ms=100", "LLM_ENGINES": STUB_LLM, "TTS_ENGINE": "scripted:rtf=0.1"}
FAST_NODE = Configuration("scripted, as fast as a GPU", "ko", FAST)
FAST_NODE_NO_SPECULATION = Configuration("scripted, no speculation", "ko", FAST | NO_SPECULATION)


def chosen(folder: Path, language: str, count: int) -> list[Path]:
    """The first `count` recordings of 2 to 7 s of one speaker whose words end there, in the manifest's order: many are
    cut in mid-sentence, after which nobody waits for an answer."""
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    files = [
        folder / row["file"]
        for row in rows
        if row["file"].startswith(f"{language}/")
        and 2 < (row.get("seconds") or 0) < 7
        and row.get("transcript")
        and "two-speakers" not in row.get("tags", [])
        and ending_of(row["transcript"], row["lang"]) in ENDED[language]
    ]
    return files[:count]


def _run(running: Running, folder: Path, configuration: Configuration, clients: int, count: int) -> dict[str, Any]:
    files = chosen(folder, configuration.language, count)
    clips = load_clips(files, folder / "manifest.jsonl", "auto")
    before = running.costs()
    report: Report = asyncio.run(replay(clips, running.url, clients=clients))
    after = running.costs()
    answered = [turn for turn in report.turns if turn.reply_latency_ms is not None]
    turns = max(1, len(answered))
    return {
        "configuration": configuration.name,
        "clients": clients,
        "turns": len(answered),
        "first_partial_ms": _p50([turn.first_partial_ms for turn in answered]),
        "final_ms": _p50([turn.final_ms for turn in answered]),
        "beyond_ms": _p50([turn.beyond_wait_ms for turn in answered]),
        "hits": sum(turn.speculation == "hit" for turn in answered),
        "wait_ms": _p50([turn.wait_ms for turn in answered]),
        "reply_latency_ms": _p50([turn.reply_latency_ms for turn in answered]),
        "cpu_seconds_a_turn": {
            name: (after[name].cpu_seconds - cost.cpu_seconds) / turns for name, cost in before.items()
        },
        "peak_mib": {name: cost.peak_mib for name, cost in after.items()},
        "summary": json.loads(report.as_json())["summary"],
    }


def _p50(values: list[Any]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return float(known[len(known) // 2]) if known else None


def _row(result: dict[str, Any]) -> list[str]:
    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:.0f}"

    cpu, peak = result["cpu_seconds_a_turn"], result["peak_mib"]
    return [
        result["configuration"],
        str(result["clients"]),
        str(result["turns"]),
        *(shown(result[name]) for name in ("first_partial_ms", "final_ms", "wait_ms", "reply_latency_ms", "beyond_ms")),
        f"{result['hits']} of {result['turns']}",
        " / ".join(f"{cpu[name]:.2f}" for name in ("node", "gateway", "valkey")),
        " / ".join(f"{peak[name]:.0f}" for name in ("node", "gateway", "valkey")),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--files", type=int, default=8, help="recordings for each run")
    parser.add_argument("--port", type=int, default=8791)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console()
    plan = [(KOREAN, options.clients), (KOREAN_NO_SPECULATION, [1]), (KOREAN_NO_CAPTIONS, [1])]
    if importlib.util.find_spec("piper") is not None:
        plan += [(ENGLISH, options.clients), (ENGLISH_NO_SPECULATION, [1])]
    plan += [(FAST_NODE, [1]), (FAST_NODE_NO_SPECULATION, [1])]
    results = []
    for configuration, counts in plan:
        with product(options.port, configuration.environment) as running:
            for clients in counts:
                with console.status(f"{configuration.name}, {clients} client(s)"):
                    results.append(_run(running, options.recordings, configuration, clients, options.files))
                if options.json:  # after each run: a later one that fails takes nothing with it
                    options.json.write_text(json.dumps(results, ensure_ascii=False, indent=2), encoding="utf-8")
    table = Table(
        "configuration",
        "clients",
        "turns",
        "first caption ms",
        "final ms",
        "wait ms",
        "reply latency ms",
        "beyond the wait ms",
        "begun before",
        "CPU s a turn: node / gateway / valkey",
        "peak MiB: node / gateway / valkey",
        title="medians",
    )
    for result in results:
        table.add_row(*_row(result))
    console.print(table)


if __name__ == "__main__":
    main()
