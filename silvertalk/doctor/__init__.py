"""`silvertalk doctor`: what is wrong with this installation, one plain sentence each, with the mend.

    finding    what a check says            python    the interpreter and its libraries
    machine    disk, memory, cores, port    models    weights, Valkey's server, who writes the replies
    services   Redis, database, gateway     node      what a node would run with here
    gpu        driver, CUDA, torch          film      FFmpeg and letters
    command    all of them, as tables

Checks take what they judge as arguments and read nothing else, so that a test shows them any machine.
"""

from silvertalk.doctor.command import Diagnosis, doctor_command, examine
from silvertalk.doctor.finding import Finding

__all__ = ["Diagnosis", "Finding", "doctor_command", "examine"]
