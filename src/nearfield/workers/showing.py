"""A cluster of jobs in words, and as a table in a notebook."""

from __future__ import annotations

import html
import time
from collections import Counter
from collections.abc import Sequence

from nearfield.workers.jobs import WorkerJob

_HEADS = ("worker", "job", "state", "node", "starts", "ends")


def line(
    jobs: Sequence[WorkerJob], wanted: int, threads: int, ended: str | None, link: str | None
) -> str:
    """One line: how many work, what the others do, when the next one starts."""
    if ended is not None:
        return f"<nearfield.cluster: ended, {ended}>"
    said = [f"{sum(job.seen.there for job in jobs)} of {wanted} workers, {threads} threads"]
    others = Counter(_state(job) for job in jobs if not job.seen.there)
    said += [f"{count} {state}" for state, count in sorted(others.items())]
    starts = [job.began for job in jobs if job.state == "pending" and job.began is not None]
    if starts:
        said.append(f"the next one starts at about {clock(min(starts))}")
    if link:
        said.append(link)
    return f"<nearfield.cluster: {'; '.join(said)}>"


def table(jobs: Sequence[WorkerJob], said: str, words: str, link: str | None) -> str:
    """HTML."""
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in _cells(job))}</tr>"
        for job in jobs
    )
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    shown = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    more = f"<p>{html.escape(words)}</p>" if words else ""
    if link:
        more += f'<p><a href="{html.escape(link)}" target="_blank">dashboard</a></p>'
    return f"<div><p>{html.escape(said)}</p>{shown}{more}</div>"


def clock(at: float) -> str:
    """A time of today, or of another day with that."""
    then, now = time.localtime(at), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)


def _state(job: WorkerJob) -> str:
    if job.leaving:
        return "leaving"
    if job.seen.there:
        return "working"
    return "starting" if job.state == "running" else job.state


def _cells(job: WorkerJob) -> tuple[str, ...]:
    began = "" if job.began is None else ("about " * (job.state == "pending") + clock(job.began))
    ends = "" if job.ends is None else clock(job.ends)
    return str(job.name), job.job_id or "", _state(job), job.node, began, ends
