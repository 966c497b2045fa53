"""``nearfield.cluster()``: Dask workers of this session, here and in Slurm jobs of its profile.

::

    starting      threads of this process, or
    jobs_cluster  a Dask cluster of Slurm jobs, with
    supervising     what to do about them: a pure function
    jobs            one of them
    broker          who starts them: the host side of the session's job
    listening       addresses, ports, the dashboard
    showing         in words and as a table
"""
