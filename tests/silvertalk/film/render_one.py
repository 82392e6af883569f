"""A worker with a film in hand, for a test that kills it: `python -m tests.silvertalk.film.render_one PHOTO FOLDER`.

It prints each stage that it comes to.
"""

import asyncio
import sys
from pathlib import Path

from silvertalk.film import Film, Slide, render_film


async def main(picture: Path, folder: Path) -> None:
    async def report(stage: str, progress: float) -> None:
        print(f"{stage} {progress:.4f}", file=sys.stderr, flush=True)

    await render_film(Film("긴 영화", "", tuple(Slide(picture) for _ in range(10))), folder, report)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
