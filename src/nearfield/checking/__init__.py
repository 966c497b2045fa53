"""Does ``nearfield.yaml`` fit the clusters it speaks of? (``nearfield profiles check``)

:func:`nearfield.checking.site.check_site` asks each Slurm once what it has
(:mod:`~nearfield.checking.asking`), holds storages, hardware and images against the answers
(:mod:`~nearfield.checking.hardware`, ``storages``, ``images``) and then lets Slurm itself judge
every profile at its defaults and at the ends of its choices (:mod:`~nearfield.checking.trial`).
Nothing is submitted and nothing is changed.
"""
