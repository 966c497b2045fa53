"""A real JupyterHub on the test cluster, and what tests and benchmarks do with it.

===============  ================================================================
``cluster``      the test cluster: its people, nodes, daemons and faults
``process``      the hub and its proxy as processes of the unprivileged account jhub
``client``       what is asked of a hub over HTTP
``kernels``      code in a kernel of somebody's server
``site``         the nearfield.yaml and the JupyterHub settings of the tests' site
``stand_in``     a server that answers and does nothing, for tests with many of them
``ledger``       what is really there: Slurm's jobs, the hub's database, the proxy's routes
``submit_host``  a real sshd with a gateway account behind it
``people``       the people; alice's and bob's private sample data and its catalogue
``running``      a hub between its first start and its end, a test that leaves nothing
===============  ================================================================
"""
