"""What has to be set before Brain-Score is imported, so that it leaves the machine as it is."""

from __future__ import annotations

import os


def prepare_environment() -> None:
    """Forbid Brain-Score to run pip, and switch its caches off where the user has not placed them.

    Its caches are keyed on identifiers, not on weights or images: a ceiling of one assembly is returned for another of
    the same name.
    """
    os.environ["BS_INSTALL_DEPENDENCIES"] = "no"
    if "RESULTCACHING_HOME" not in os.environ:
        os.environ.setdefault("RESULTCACHING_DISABLE", "1")
