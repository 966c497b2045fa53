"""Slurm's words for the state of a job, folded to what has to be told apart."""

import re

STATES = {
    "PENDING": "pending",
    "REQUEUED": "pending",
    "REQUEUE_FED": "pending",
    "REQUEUE_HOLD": "pending",
    "RESV_DEL_HOLD": "pending",
    "SPECIAL_EXIT": "pending",  # held in the queue after a special exit code
    "EXPEDITING": "pending",
    "RUNNING": "running",
    "CONFIGURING": "running",  # allocated, its nodes are being made ready
    "POWER_UP_NODE": "running",
    "RESIZING": "running",
    "SIGNALING": "running",
    "UPDATE_DB": "running",
    "SUSPENDED": "suspended",
    "STOPPED": "suspended",
    "COMPLETING": "completing",
    "STAGE_OUT": "completing",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "BOOT_FAIL": "failed",
    "LAUNCH_FAILED": "failed",
    "RECONFIG_FAIL": "failed",
    "CANCELLED": "cancelled",
    "REVOKED": "cancelled",  # a sibling of a federated job that started elsewhere
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
    "OUT_OF_MEMORY": "out_of_memory",
    "NODE_FAIL": "node_fail",
    "PREEMPTED": "preempted",
}
"""What is not here is ``unknown``."""
OVER = frozenset(
    ("completed", "failed", "cancelled", "timeout", "out_of_memory", "node_fail", "preempted")
)
JOB_NUMBER = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


def state_word(word: str) -> str:
    """Slurm's word folded: ``CANCELLED by 1000`` and ``CANCELLED+`` are cancelled."""
    return STATES.get(word.strip().split(" ", 1)[0].rstrip("+").upper(), "unknown")
