"""What the benchmarks on the test cluster share.

=============  ==================================================================
``site``       the test cluster, and a JupyterHub of either kind on it
``load``       many servers at once, Slurm's RPC counters, CPU time of processes
``report``     results as JSON and Markdown, with the machine they were taken on
=============  ==================================================================
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/support"))
