"""``nearfield.yaml``: one file for catalogue, storages, clusters, environments and profiles.

Where it is looked for, first found wins: an explicit path, ``$NEARFIELD_CONFIG``,
``<sys.prefix>/etc/nearfield/nearfield.yaml``, ``/etc/nearfield/nearfield.yaml``. Without a file
the defaults below hold: an embedded catalogue in the user's data folder and this machine as
the only cluster.

Errors name the file, the line and the key.
"""

from nearfield.config._base import AbsolutePath, ConfigModel, Constraint, Name, SlurmWord
from nearfield.config.catalogue import CatalogueConfig, Place, Storage, user_data_dir
from nearfield.config.clusters import Cluster, LauncherConfig, Ports, SshConfig
from nearfield.config.environments import (
    EnvironmentConfig,
    MountConfig,
    OnNode,
    RuntimeConfig,
    SignatureRule,
)
from nearfield.config.hardware import (
    ChoiceName,
    Choices,
    Hardware,
    HardwareConfig,
    Numbers,
    Pattern,
    Range,
    Words,
)
from nearfield.config.identity import IdentityConfig
from nearfield.config.loading import (
    DEMO_MARK,
    candidates,
    find_config,
    key_lines,
    load_config,
    load_site_config,
    parse_config,
    parse_yaml,
    written_by_demo,
)
from nearfield.config.profiles import ProfileConfig, SessionsConfig
from nearfield.config.rules import FileRule, RecordRule, Rules, load_rules
from nearfield.config.shared import for_sessions, of_this_session
from nearfield.config.site import Config
from nearfield.config.sources import (
    IcatSource,
    InvenioSource,
    PanoscSource,
    SciCatSource,
    ServiceSource,
    Source,
)
from nearfield.config.wording import in_words

__all__ = [
    "DEMO_MARK",
    "AbsolutePath",
    "CatalogueConfig",
    "ChoiceName",
    "Choices",
    "Cluster",
    "Config",
    "ConfigModel",
    "Constraint",
    "EnvironmentConfig",
    "FileRule",
    "Hardware",
    "HardwareConfig",
    "IcatSource",
    "IdentityConfig",
    "InvenioSource",
    "LauncherConfig",
    "MountConfig",
    "Name",
    "Numbers",
    "OnNode",
    "PanoscSource",
    "Pattern",
    "Place",
    "Ports",
    "ProfileConfig",
    "Range",
    "RecordRule",
    "Rules",
    "RuntimeConfig",
    "SciCatSource",
    "ServiceSource",
    "SessionsConfig",
    "SignatureRule",
    "SlurmWord",
    "Source",
    "SshConfig",
    "Storage",
    "Words",
    "candidates",
    "find_config",
    "for_sessions",
    "in_words",
    "key_lines",
    "load_config",
    "load_rules",
    "load_site_config",
    "of_this_session",
    "parse_config",
    "parse_yaml",
    "user_data_dir",
    "written_by_demo",
]
