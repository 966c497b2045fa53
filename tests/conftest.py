"""In CI nothing is skipped: a test whose real part cannot run fails, with the reason."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest

# A loaded machine is no fault of what is tested; all else stays as the profile in use has it.
hypothesis.settings.register_profile("untimed", hypothesis.settings(deadline=None))
hypothesis.settings.load_profile("untimed")

# A contract suite leaves out what a driver says it cannot do (``capabilities``): that is no gap.
BY_CAPABILITY = "nearfield/testing/"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        path, line, reason = report.longrepr
        if BY_CAPABILITY not in str(path):
            report.outcome = "failed"
            report.longrepr = f"{path}:{line}: in CI a test that cannot run fails: {reason}"
    return report
