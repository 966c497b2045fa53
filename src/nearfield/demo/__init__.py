"""``nearfield demo``: the whole thing on this machine, in one folder, with embedded defaults.

JupyterHub, its proxy and Node are processes here, never imports: the core stays free of them.
"""
