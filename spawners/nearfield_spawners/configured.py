"""What ``nearfield.yaml`` means to one spawner."""

from __future__ import annotations

from traitlets import Unicode

from nearfield.catalogue import unix_groups
from nearfield.config import Config
from nearfield.datasets import Principal
from nearfield.scheduler import Scheduler
from nearfield_spawners.identity import account_of_user
from nearfield_spawners.live_config import LiveConfig
from nearfield_spawners.migration import with_req_traits
from nearfield_spawners.monitor import QueueMonitor
from nearfield_spawners.state import SavedState


class Configured(SavedState):
    """The configuration, and the scheduler and monitor of the session's cluster."""

    config_file = Unicode(
        "", help="The nearfield.yaml to use; empty: searched for as the command line does."
    ).tag(config=True)

    @property
    def live(self) -> LiveConfig:
        return LiveConfig.of(self.config_file)

    @property
    def site(self) -> Config:
        """The configuration, with the hub's ``req_*`` settings where the file leaves a choice."""
        return with_req_traits(self.live.config, self)

    @property
    def principal(self) -> Principal:
        hub_groups = {group.name for group in self.user.groups}
        account = self.account
        return Principal(name=account, groups=hub_groups | unix_groups(account))

    @property
    def account(self) -> str:
        """The Unix account of the session, else of who would start one. Raises AccountError."""
        if self.account_name:
            return self.account_name
        return account_of_user(self.user, self.live.config.identity)

    def _scheduler(self) -> Scheduler:
        return self.live.scheduler(self.cluster_name)

    def _monitor(self) -> QueueMonitor:
        return self.live.monitor(self.cluster_name)
