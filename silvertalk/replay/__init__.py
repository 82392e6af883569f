"""`silvertalk replay`: recordings spoken to a server in real time, and what came of it measured.

It stands outside: it speaks the public protocol like any phone, reads the clock of this machine only, and judges by the
true ends of speech in the files, not by what the server believes. One file for each step:

    clips         a file becomes 16 kHz samples, with what is known of it
    speech_ends   where its speech begins and ends; voice_detector is its best witness
    microphone    the samples go out in real time
    turn_log      what comes back, turn by turn
    losses        connections lost on the way, and what that cost
    speaker       one client with its files, one after another
    run           all clients at once
    measure       a turn becomes a row
    report        rows become a summary
    table, plot   for the eye
    command       the command line

The command line imports `command` at every start of `silvertalk`, so neither that module nor this one loads the rest.
"""

PATIENCE_SECONDS = 60.0
"""The longest wait for an answer after a file's end."""
