"""The host side of a job: standard library only, Python 3.6 syntax.

It runs under whatever python3 a compute node has, where Nearfield is not installed: the modules
here are joined to one text that goes into the batch script
(:func:`nearfield.scheduler.node_program.text`). So names are unique across them, and imports of
each other are there for the reader and the type checker only. Nearfield itself imports only what
looks at images (:mod:`nearfield.scheduler.images`).
"""
