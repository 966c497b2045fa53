"""The site of the property tests. What it allows is told a second time in ``oracle``."""

from __future__ import annotations

from typing import Any

SITE: dict[str, Any] = {
    "storages": {
        "raw": {"prefix": "/raw", "places": [{"cluster": "lab", "constraint": "near-raw"}]},
        "closed": {"prefix": "/closed"},
    },
    "clusters": {"lab": {"bin": "/opt/slurm/bin"}, "other": {"bin": "/opt/other/bin"}},
    "environments": {
        "image": {
            "image": "/images/a.sif",
            "apptainer": "/opt/bin/apptainer",
            "command": ["/opt/server", "--flag"],
            "mounts": [{"source": "/opt/a,b:c", "target": "/opt/x"}],
        },
        "bare": {"command": ["bare-server"]},
    },
    "hardware": {
        "open": {
            "cluster": "lab",
            "cores": 2,
            "memory_mb": 1000,
            "choices": {
                "cores": {"least": 2, "most": 16, "step": 2},
                "memory_mb": [1000, 2000],
                "minutes": {"least": 60, "most": 250, "step": 60},
                "gpus": [0, 1, 2],
                "gpu_type": ["a100", "t4"],
                "account": {"pattern": "grp-[a-z]{1,8}"},
                "qos": ["normal", "high"],
                "reservation": {"pattern": ".*[0-9]"},
            },
        },
        "fixed": {
            "cluster": "lab",
            "partition": "short",
            "memory_mb": 3000,
            "account": "physics",
            "qos": "low",
            "constraint": "fat",
        },
        "away": {"cluster": "other", "choices": {"cores": [1, 4]}},
    },
    "profiles": {
        "open": {"environment": "image", "hardware": ["open", "fixed"], "storages": ["raw"]},
        "mine": {"environment": "bare", "hardware": "away", "users": ["alice"]},
        "staff": {"environment": "bare", "hardware": "open", "groups": ["staff"]},
        "bobs": {"environment": "bare", "hardware": "fixed", "users": ["bob"]},
    },
}
DATASETS = {
    "p/1": ["/raw/x/a.h5", "/raw/x/y/b.h5"],
    "p/2": ["/raw/z.h5"],
    "p/closed": ["/closed/a.h5"],
    "p/empty": [],
}
