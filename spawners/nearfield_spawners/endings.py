"""How a job ended, in words for the person whose session it was."""

from __future__ import annotations

from nearfield.scheduler import JobState, JobStatus

_WORDS = {
    JobState.COMPLETED: "the server ended by itself",
    JobState.FAILED: "the server failed (exit code {code})",
    JobState.CANCELLED: "the job was cancelled",
    JobState.TIMEOUT: "the job reached its time limit",
    JobState.OUT_OF_MEMORY: "the job used more memory than it asked for",
    JobState.NODE_FAIL: "node {host} failed",
    JobState.PREEMPTED: "the job was preempted by one with priority",
}

_ADVICE = {
    JobState.TIMEOUT: "choose hardware with more time",
    JobState.OUT_OF_MEMORY: "choose hardware with more memory",
    JobState.NODE_FAIL: "start again: another node will be used",
    JobState.PREEMPTED: "start again, or choose hardware that is not preempted",
}


def explain(status: JobStatus) -> str:
    """One sentence that says what happened and, where it helps, what to do."""
    code = "unknown" if status.exit_code is None else str(status.exit_code)
    text = _WORDS.get(status.state, f"the job is {status.state.value}").format(
        code=code, host=status.host or "of the job"
    )
    if status.reason and status.reason.lower() not in {"none", status.state.value}:
        text += f" [{status.reason}]"
    advice = _ADVICE.get(status.state)
    return f"{text}; {advice}" if advice else text
