"""What workers have in hand lies in one place, goes with its work, and is swept where its worker is dead."""

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from silvertalk.scratch import scratch_folder, sweep_scratch

HOLDING = """
import asyncio, sys
from pathlib import Path
from silvertalk.scratch import scratch_folder

async def main():
    async with scratch_folder(Path(sys.argv[1]), "export") as folder:
        (folder / "export.zip").write_bytes(b"somebody's")
        print(folder.name, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if not path.name.startswith("."))


async def test_a_folder_is_its_users_alone_and_goes_with_its_work(tmp_path: Path) -> None:
    root = tmp_path / "var" / "scratch"
    async with scratch_folder(root, "photo") as folder:
        assert folder.parent == root and folder.name.startswith("photo-")
        assert [stat.S_IMODE(path.stat().st_mode) for path in (root, folder)] == [0o700, 0o700]
        (folder / "source").write_bytes(b"a picture")
    assert names(root) == []
    with pytest.raises(ZeroDivisionError):
        async with scratch_folder(root, "photo"):
            raise ZeroDivisionError
    assert names(root) == []


async def test_one_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with scratch_folder(tmp_path, "photo") as folder:
            (folder / "source").write_bytes(b"a picture")
            begun.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await begun.wait()
    working.cancel()
    await asyncio.wait([working])
    assert names(tmp_path) == []


async def test_what_a_dead_process_left_is_swept_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDING, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    theirs = (await process.stdout.readline()).decode().strip()
    async with scratch_folder(tmp_path, "export") as mine:
        assert sweep_scratch(tmp_path) == 0
        assert names(tmp_path) == sorted([theirs, mine.name])
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert names(tmp_path) == sorted([theirs, mine.name]), "nobody could clean up"
        assert sweep_scratch(tmp_path) == 1
        assert names(tmp_path) == [mine.name]


async def test_many_made_and_swept_at_once_lose_nothing(tmp_path: Path) -> None:
    async def work(number: int) -> None:
        async with scratch_folder(tmp_path, "photo") as folder:
            (folder / "source").write_bytes(b"a picture")
            await asyncio.to_thread(sweep_scratch, tmp_path)
            assert os.listdir(folder) == ["source"], number

    await asyncio.gather(*(work(number) for number in range(40)))
    assert names(tmp_path) == []


def test_nothing_to_sweep_and_nothing_of_ours(tmp_path: Path) -> None:
    assert sweep_scratch(tmp_path / "none") == 0
    (tmp_path / "somebody's notes").write_text("a file")
    assert sweep_scratch(tmp_path) == 0
    assert names(tmp_path) == ["somebody's notes"]
