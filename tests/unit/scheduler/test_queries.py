"""Slurm's reading commands on this host, while nobody answers them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nearfield.config import Cluster
from nearfield.scheduler.queries import LocalQueries


async def test_a_cluster_that_does_not_answer_takes_no_thread_of_others(tmp_path: Path) -> None:
    squeue, answer = tmp_path / "squeue", tmp_path / "answer"
    squeue.write_text(f"#!/bin/sh\nwhile [ ! -e {answer} ]; do sleep 0.02; done; echo x\n")
    squeue.chmod(0o755)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    queries = LocalQueries(Cluster(bin=tmp_path))
    asked = [asyncio.create_task(queries.ask("squeue", seconds=60)) for _ in range(3)]
    try:
        await asyncio.sleep(0)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "others"), 5) == "others"
    finally:
        answer.touch()
        told = await asyncio.gather(*asked)
    assert [answered.out for answered in told] == ["x\n"] * 3
