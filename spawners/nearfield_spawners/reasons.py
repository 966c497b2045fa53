"""Why a job waits: Slurm's reasons (22.05 to 24.11) in plain words, with what can be done."""

from __future__ import annotations

import re
from typing import NamedTuple


class Words(NamedTuple):
    """What a reason means to the person who waits, and what to do about it."""

    meaning: str
    todo: str = ""


_LESS = "ask for less, or wait until other jobs of yours end"
_ADMIN = "ask the administrators of the cluster"
_OTHER = "stop and choose other hardware"

REASONS: dict[str, Words] = {
    # The ordinary ones.
    "None": Words("Slurm has not looked at it yet"),
    "Priority": Words("other jobs come first"),
    "Resources": Words("it is next, as soon as enough of a node is free"),
    "Dependency": Words("it waits for another job to end"),
    "DependencyNeverSatisfied": Words("it waits for a job that can never end well", _ADMIN),
    "BeginTime": Words("it may not start before a set time; Slurm tries again soon"),
    "JobArrayTaskLimit": Words("its array runs as many tasks as it may"),
    "Prolog": Words("the node is being prepared"),
    "Cleaning": Words("what an earlier attempt left is being cleaned up"),
    "Deadline": Words("it cannot end before its deadline", _OTHER),
    "InactiveLimit": Words("the session was inactive for too long"),
    "SchedDefer": Words("the site lets new jobs wait for the next planning round"),
    "QueuedForScheduling": Words("it is in Slurm's planning round"),
    # The partition and its nodes.
    "PartitionDown": Words("its partition takes no jobs at the moment", _OTHER),
    "PartitionInactive": Words("its partition is switched off", _OTHER),
    "PartitionNodeLimit": Words("it asks for more nodes than its partition allows", _OTHER),
    "PartitionTimeLimit": Words("it asks for more time than its partition allows", "ask for less"),
    "PartitionConfig": Words("its partition does not allow what it asks for", _OTHER),
    "ReqNodeNotAvail": Words("a node that it needs is down, reserved or being serviced", _OTHER),
    "NodeDown": Words("a node that it needs is down", _OTHER),
    "BadConstraints": Words("no node has what it asks for", _OTHER),
    "FrontEndDown": Words("the host that starts jobs is down", _ADMIN),
    "SystemFailure": Words("something failed in Slurm, the file system or the network", _ADMIN),
    "NonZeroExitCode": Words("its preparation on the node failed", _ADMIN),
    "RaisedSignal": Words("it was ended by a signal", "start again"),
    "TimeLimit": Words("it reached its time limit", "ask for more time"),
    "PowerNotAvail": Words("the cluster is short of electrical power"),
    "PowerReserved": Words("electrical power is kept for a reservation"),
    "Licenses": Words("a licence that it needs is in use"),
    "Reservation": Words("its reservation has not begun, or is full"),
    "ReservationDeleted": Words("its reservation is gone", _OTHER),
    "NetworkPort": Words("network ports for it are in use"),
    "ExcHold": Words("a node that it needs is kept for somebody else", _OTHER),
    "BurstBufferResources": Words("there is no room in the burst buffer"),
    "BurstBufferStageIn": Words("its data is being staged in"),
    "BurstBufferOperation": Words("its burst buffer is being set up"),
    # Held.
    "JobHeldUser": Words("it is on hold, by you", "scontrol release JOB, or stop it"),
    "JobHeldAdmin": Words("it is on hold, by an administrator", _ADMIN),
    "JobHoldMaxRequeue": Words("it was put back too often and is on hold", "stop and start again"),
    "JobLaunchFailure": Words("it could not be launched", "stop and start again"),
    "launch_failed_requeued_held": Words(
        "its launch failed on the node, and it is on hold", "stop it, choose other hardware"
    ),
    "requeued_held": Words("it was put back on hold", "stop and start again"),
    "FedJobLock": Words("the clusters of the federation agree on where it runs"),
    "OriginCluster": Words("another cluster of the federation decides"),
    "OutOfMemory": Words("it used more memory than it asked for", "ask for more memory"),
    "Preempted": Words("a job with priority took its place"),
    "PreemptDelay": Words("it waits for another job that is asked to make room"),
    "ReconfigFailure": Words("Slurm could not be reconfigured", _ADMIN),
    "InvalidAccount": Words("its account is not valid here", _ADMIN),
    "InvalidQOS": Words("its QOS is not valid here", _ADMIN),
    "AccountNotAllowed": Words("its account may not use this partition", _OTHER),
    "QOSNotAllowed": Words("its QOS may not be used here", _OTHER),
    "AccountingPolicy": Words("a limit of the site holds it back", _LESS),
    "MaxMemPerLimit": Words("it asks for more memory than is allowed", "ask for less memory"),
    "DeferredSched": Words("Slurm is busy and looks at it later"),
}
"""The reason as squeue's ``%r`` has it. Limits, of which there are hundreds, go by a pattern."""

_WHAT = {
    "Cpu": "processors",
    "CPU": "processors",
    "CPUs": "processors",
    "CpuMinutes": "processor time",
    "CPUMinutes": "processor time",
    "CpuRunMinutes": "processor time",
    "CPURunMinutes": "processor time",
    "Mem": "memory",
    "Memory": "memory",
    "MemMinutes": "memory over time",
    "MemRunMinutes": "memory over time",
    "Node": "nodes",
    "Nodes": "nodes",
    "NodeMinutes": "node time",
    "NodeRunMinutes": "node time",
    "GRES": "GPUs or the like",
    "GRESMinutes": "GPU time",
    "GRESRunMinutes": "GPU time",
    "License": "licences",
    "BB": "burst buffer",
    "Billing": "billed units",
    "BillingMinutes": "billed units over time",
    "BillingRunMinutes": "billed units over time",
    "Jobs": "jobs",
    "SubmitJobs": "jobs",
    "SubmitJob": "jobs",
    "JobsPerUser": "jobs",
    "WallDuration": "time",
    "Wall": "time",
    "MaxWallDurationPerJob": "time",
    "Energy": "energy",
    "Unknown": "resources",
}
_WHOSE = {
    "QOS": "the QOS",
    "Assoc": "your account in Slurm",
    "Association": "your account in Slurm",
}
# QOSMaxCpuPerUserLimit, AssocGrpCPUMinutesLimit, MaxGRESPerAccount, QOSGrpNodeLimit …
_LIMIT = re.compile(
    r"(?P<whose>QOS|Assoc(?:iation)?)?(?P<kind>Grp|Max|Min)?"
    r"(?P<what>[A-Za-z]+?)(?:Per(?P<per>User|Account|Job|Node|PU|PA|PJ))?(?P<limit>Limit)?",
    re.ASCII,
)
_PER_JOB = {"Job", "PJ", "Node"}


def words_for(reason: str) -> Words | None:
    """The meaning of a reason; None if there is nothing to tell.

    One that no table knows is given as it is: an unknown word helps more than none.
    """
    word = reason.strip().strip("()")
    word = word.split(",", 1)[0].split(":", 1)[0].split(" ", 1)[0] if word else ""
    if word in {"", "None", "null", "N/A"}:
        return None
    if word in REASONS:
        return REASONS[word]
    if (found := _LIMIT.fullmatch(word)) and (found["limit"] or found["whose"] or found["per"]):
        return _limit(found)
    return Words(f"Slurm says {reason.strip()[:120]!r}")


def _limit(found: re.Match[str]) -> Words:
    whose = _WHOSE.get(found["whose"] or "", "the site")
    what = _WHAT.get(found["what"], "resources")
    if found["kind"] == "Min":
        return Words(f"it asks for fewer {what} than {whose} demands", _OTHER)
    if found["per"] in _PER_JOB:
        return Words(
            f"it asks for more {what} than {whose} allows one job", "stop and ask for less"
        )
    if found["kind"] == "Grp" or found["per"] in {"Account", "PA"}:
        shared = "everybody in it together uses as much as is allowed"
        return Words(f"the limit of {whose} on {what} is reached: {shared}", _LESS)
    return Words(f"your limit on {what}, set by {whose}, is reached", _LESS)
