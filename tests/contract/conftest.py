"""Tests that need a server of somebody else's are collected where its address is given."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("NEARFIELD_TEST_SCICAT_URL") else ["test_scicat_live.py"]
