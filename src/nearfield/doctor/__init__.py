"""``nearfield doctor``: why does it not start, why can it not be read?

One file per check; each takes the :class:`~nearfield.doctor.site.Site` and yields findings. A
check looks, and changes nothing but a file of 64 KiB that it writes to a home and removes.
"""

from __future__ import annotations

from nearfield.doctor.findings import Finding, Verdict
from nearfield.doctor.rounds import examine_site
from nearfield.doctor.site import Site

__all__ = ["Finding", "Site", "Verdict", "examine_site"]
