"""What the benchmarks share.

=============  ==================================================================
``site``       the test cluster, and a JupyterHub of either kind on it
``load``       many servers at once, Slurm's RPC counters, CPU time of processes
``stacks``     stacks of detector frames, and what is asked of them
``timing``     contenders in the same rounds
``decoding``   the limit of a reduction: decoding from memory
``others``     reductions by xarray and pyFAI
``libertem``   reductions by LiberTEM, in its own interpreter (``libertem_peer``)
``processes``  two processes beside one
``memory``     the peak of a reduction
``charts``     pictures of the results, for the documentation
``report``     results as JSON and Markdown, with the machine they were taken on
=============  ==================================================================
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/support"))
