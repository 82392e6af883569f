"""The bus's numbers, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds and times of one process's bus. All of them may be set; the defaults are for people talking."""

    block_ms: int = 25_000
    """How long a blocking read waits. Hosted Redis bills each command, so an idle reader should ask rarely; load
    balancers and NATs drop a silent connection after 60 s at the earliest."""

    reply_seconds: float = 3.0
    """A connection whose oldest command has had no reply for so long is given up and dialled anew."""

    connect_seconds: float = 5.0
    """TCP, TLS and AUTH together."""

    backoff_min_seconds: float = 0.05
    backoff_max_seconds: float = 2.0
    """Between two attempts to connect: doubling, each wait drawn from [half, whole], so that a thousand processes do
    not come back at once. The longest is short because somebody is waiting in silence."""

    patience_seconds: float = 2.0
    """A single question (open, claim, take) waits so long for a connection before it raises BusUnavailable: what a
    person accepts at the door."""

    ping_seconds: float = 0.5
    """How long a health check waits for a connection."""

    writer_patience_seconds: float = 30.0
    """A stream's writer holds its entries so long while Redis is away, then fails: longer than a restart or a failover,
    shorter than any stream's life."""

    full_seconds: float = 1.0
    """A writer that Redis refuses for want of memory tries for so long, since other turns are closing all the time."""

    retry_seconds: float = 0.1
    """Between two such attempts."""

    max_pending_entries: int = 2_048
    max_pending_bytes: int = 4 * 1024 * 1024
    """What one writer may hold unsent: at 40 ms a batch 80 s of microphone, or 80 s of reply audio. At the bound
    BusFull."""

    max_stream_entries: int = 50_000
    max_stream_bytes: int = 64 * 1024 * 1024
    """What one stream may ever hold (hosted Redis caps a key at 100 MB): half an hour of microphone in one turn. Never
    MAXLEN: that would drop speech nobody has heard. At the bound BusFull."""

    batch_entries: int = 256
    batch_bytes: int = 1024 * 1024
    """One writer's share of a round trip, so that a writer with a backlog does not delay the others (and hosted Redis
    takes 10 MB a request)."""

    read_count: int = 128
    """Entries a stream gives to one read."""

    turn_ttl_ms: int = 15 * 60_000
    """Life of a turn's keys, renewed by writing: outlives any turn; a turn abandoned by everybody is gone after it."""

    closed_ttl_ms: int = 180_000
    """Life of a closed turn's streams: a client may come back for at least two minutes and wants the audio still
    unplayed."""

    journal_ttl_ms: int = 6 * 3600_000
    """Life of a journal nobody writes to: an orphan must be finalised from it though the database be away meanwhile."""

    control_ttl_ms: int = 3600_000
    control_entries: int = 10_000
    """The control stream is heard as it is written; what is older than this is history."""

    errand_left_ttl_ms: int = 10_000
    """Life of an errand's streams once it is over: nobody comes back for them, and what is in them is somebody's."""

    errand_quiet_seconds: float = 5.0
    """Who waits for an errand of which nothing comes looks for a lease that ran out this often."""

    notice_entries: int = 200
    notice_ttl_ms: int = 24 * 3600_000
    """What a device missed while it was away; one that is away for longer asks for everything anew."""

    refill_batch: int = 200
    refill_pause_seconds: float = 0.02
    """At most ten thousand values a second are told again to a server that lost its memory."""

    lease_ms: int = 2_000
    """A claim that has not been renewed for so long may be taken over."""

    max_deliveries: int = 3
    """Nodes that may die with a turn. The last of them serves it alone; after that nobody is to touch it."""

    suspect_wait_ms: int = 4_000
    """How long a turn that may only be served alone waits, beyond the lease of its last node, for a node that has
    nothing else to do: two of the gateway's hints. Then a busy one makes room for it, or it would wait for ever where
    all are busy."""
