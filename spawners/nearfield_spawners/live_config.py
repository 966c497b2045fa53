"""nearfield.yaml, read again when it changes.

An invalid new file keeps the old one and says so: in the hub's log, and in the metric
``nearfield_config_in_use``, which is 0 as long as the newest file is not the one in use.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Gauge

from nearfield.config import Config, ProfileConfig, find_config, load_site_config
from nearfield.errors import ConfigError, NearfieldError
from nearfield.scheduler import Availability, Scheduler, open_scheduler
from nearfield_spawners.availability import AvailabilityCache
from nearfield_spawners.estimates import Estimates
from nearfield_spawners.monitor import QueueMonitor

CHECK_SECONDS = 1.0
"""How old ``LiveConfig.recent`` may be."""

log = logging.getLogger("nearfield.config")
_IN_USE = Gauge(
    "nearfield_config_in_use",
    "1 if the configuration file is in use as it is; 0 if it is not valid, or gone",
    ["file"],
)


class LiveConfig:
    """One configuration file and what is built from it: a scheduler and a monitor per cluster."""

    _shared: dict[str, LiveConfig] = {}  # noqa: RUF012 - one per file and hub process

    def __init__(
        self,
        path: Path | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.problem = ""
        """Why the newest file is not in use; empty if it is."""
        self._file = find_config(path)
        self._clock, self._checked_at = clock, clock()
        self._stamp = self._stat()
        self._config = load_site_config(path)
        self._schedulers: dict[str, Scheduler] = {}
        self._monitors: dict[str, QueueMonitor] = {}
        self._availability: dict[str, AvailabilityCache] = {}
        self.estimates = Estimates()
        if self._file is not None:
            _IN_USE.labels(file=str(self._file)).set_function(self._in_use)

    def _in_use(self) -> float:
        """Asked by whoever reads the metrics, so that it is true then."""
        return 0.0 if self.config and self.problem else 1.0

    @classmethod
    def of(cls, path: str) -> LiveConfig:
        """The shared one for this path; all spawners of a hub use the same."""
        if path not in cls._shared:
            where = Path(path) if path else None
            cls._shared[path] = cls(where)
        return cls._shared[path]

    def _stat(self) -> tuple[int, int, int] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    @property
    def recent(self) -> Config:
        """The same, a second old at most: for what is asked at every poll of every spawner."""
        if self._clock() - self._checked_at < CHECK_SECONDS:
            return self._config
        return self.config

    @property
    def config(self) -> Config:
        """The newest valid configuration."""
        self._checked_at = self._clock()
        stamp = self._stat()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                new = load_site_config(self.path)
                if stamp is None:
                    raise ConfigError(f"{self._file}: is gone")
            except ConfigError as error:
                self.problem = str(error)
                log.error("the changed configuration is not used; the old one stays: %s", error)
            else:
                self.problem = ""
                log.info("%s read again", self._file)
                changed = {
                    name
                    for name in self._config.clusters
                    if new.clusters.get(name) != self._config.clusters[name]
                }
                self._config = new
                for name in changed:
                    self._schedulers.pop(name, None)
                    self._availability.pop(name, None)
                    if monitor := self._monitors.pop(name, None):
                        monitor.close(self._heir_of(name) if monitor.watched else None)
        return self._config

    def _heir_of(self, cluster: str) -> QueueMonitor | None:
        """Who goes on looking at the jobs of a cluster whose section has changed."""
        try:
            return self.monitor(cluster) if cluster in self._config.clusters else None
        except NearfieldError as error:
            log.error("cluster %s cannot be looked at: %s", cluster, error)
            return None

    def scheduler(self, cluster: str) -> Scheduler:
        """The driver of a cluster, made when first used."""
        config = self.recent
        if cluster not in self._schedulers:
            self._schedulers[cluster] = open_scheduler(config, cluster)
        return self._schedulers[cluster]

    def monitor(self, cluster: str) -> QueueMonitor:
        """The queue monitor of a cluster, one per hub."""
        scheduler = self.scheduler(cluster)
        if cluster not in self._monitors:
            settings = self.recent.clusters[cluster]
            self._monitors[cluster] = QueueMonitor(
                scheduler,
                fast_seconds=settings.poll_seconds,
                slow_seconds=max(settings.poll_seconds, settings.idle_poll_seconds),
            )
        return self._monitors[cluster]

    def availability(self, cluster: str) -> AvailabilityCache:
        """What is free on a cluster, asked at most once a minute for the whole hub."""
        if cluster not in self._availability:
            self._availability[cluster] = AvailabilityCache(self.scheduler(cluster))
        return self._availability[cluster]

    async def looks(self, *profiles: ProfileConfig) -> dict[str, Availability]:
        """What is known of the clusters of these profiles; who does not answer is left out."""
        names = {self.config.hardware[name].cluster for p in profiles for name in p.hardware}
        asked = sorted(names)
        found = await asyncio.gather(*(self.availability(name).look() for name in asked))
        return {
            name: look.told
            for name, look in zip(asked, found, strict=True)
            if look.told is not None
        }
