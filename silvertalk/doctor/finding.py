"""What a check says."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One check's outcome. `ok`: True all well, False it has to be mended, None worth knowing."""

    name: str
    ok: bool | None
    sentence: str
    mend: str = ""
