"""Every metric of the gateway, declared once, in the vocabulary of the design.

Names end in their unit; labels are short closed sets, never an id. `render()` is what `/metrics` answers.
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

LATENCY_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Finest around the aims: 5 and 20 ms for the bus, 100 ms beyond the wait, 400 and 700 ms for the first partial."""

# sessions
SESSIONS = Gauge("silvertalk_sessions", "Live sessions, those included whose client may come back")
OPENED = Counter(
    "silvertalk_sessions_opened_total",
    "Clients let in: new, resumed, taken_over from another gateway, or anew after unknown_session, unknown_epoch",
    ["how"],
)
REFUSED = Counter("silvertalk_refused_total", "Refused at the door, by the error's code", ["reason"])
GENERATIONS = Counter(
    "silvertalk_generations_total", "Pictures and films made by Replicate, by what became of them", ["kind", "outcome"]
)
FAULTS = Counter("silvertalk_faults_total", "Clients' faults against the wire protocol, by code", ["code"])
MICROPHONE_SECONDS = Counter("silvertalk_microphone_seconds_total", "Audio received from microphones")
REPLY_AUDIO_SECONDS = Counter("silvertalk_reply_audio_seconds_total", "Reply audio sent to clients")

# hearing
SPEECH_SECONDS = Counter("silvertalk_speech_seconds_total", "Speech that crossed the bus")

# turns
TURNS = Counter("silvertalk_turns_total", "Closed turns: answered, failed, nothing_heard", ["outcome", "language"])
FIRST_PARTIAL_SECONDS = Histogram(
    "silvertalk_first_partial_seconds", "Onset of speech noticed to the first words shown", buckets=LATENCY_SECONDS
)
END_OF_UTTERANCE_DELAY_SECONDS = Histogram(
    "silvertalk_end_of_utterance_delay_seconds", "Last speech sample to the endpoint decision", buckets=LATENCY_SECONDS
)
REPLY_LATENCY_SECONDS = Histogram(
    "silvertalk_reply_latency_seconds", "Last speech sample to the first reply sample sent", buckets=LATENCY_SECONDS
)
CLAIM_SECONDS = Histogram("silvertalk_claim_seconds", "Offer to a node's claim", buckets=LATENCY_SECONDS)
SPECULATIONS = Counter(
    "silvertalk_speculations_total", "Replies begun in a pause: hit, missed; or declined, by the limit", ["outcome"]
)
WASTED_TOKENS = Counter("silvertalk_wasted_tokens_total", "What LLMs wrote for replies begun in a pause and missed")
OVERLAPS = Counter(
    "silvertalk_overlaps_total",
    "Voices while a reply was spoken: speech, echo, back_channel, noise, or finished where the reply was over first",
    ["verdict"],
)
MERGED = Counter("silvertalk_merged_total", "Replies taken back, since the person went on as they began")
INTERRUPTED = Counter("silvertalk_interrupted_total", "Replies the user cut short, by reason", ["reason"])
STALE_OUTPUTS = Counter("silvertalk_stale_outputs_total", "What nodes made for an attempt that no longer counts")
REDELIVERED = Counter("silvertalk_redelivered_total", "Turns that went to another node")

# background work
JOBS = Counter(
    "silvertalk_jobs_total",
    "Runs of jobs that ended: done, retried, postponed since a part is away, or failed for good",
    ["kind", "state"],
)

# the bus
BUS_UP = Gauge("silvertalk_bus_up", "1 while Redis answers")

# the record
DATABASE_UP = Gauge("silvertalk_database_up", "1 while the database answers")
COMMIT_BACKLOG = Gauge("silvertalk_commit_backlog_turns", "Closed turns that wait for the database")
COMMIT_SECONDS = Histogram("silvertalk_commit_seconds", "One turn's transaction", buckets=LATENCY_SECONDS)
COMMITTED = Counter("silvertalk_committed_total", "Turns in the database: new, or there already", ["row"])
VOICES = Counter("silvertalk_voices_total", "Recordings to be kept: kept, not_agreed, gone, no_room, lost", ["outcome"])
COMMIT_FAILURES = Counter("silvertalk_commit_failures_total", "Tries that failed: away, refused, callback", ["reason"])


def render() -> tuple[bytes, str]:
    """All metrics of this process in Prometheus' text format, and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
