"""Local servers that answer as the outside services do, errors included: one file for each service.

They are real servers on real sockets, for tests, for benchmarks and for working offline. What they record is public, so
that a test can ask what reached the service and whether the caller hung up.
"""
