"""Whether the data still say what they must, looked at by SQL over the databases of all services: `python -m ops.fsck`.

Nothing is changed. What holds inside a service is exact at any moment, as each database is read in one snapshot. What holds
between services is true when they are quiet, so whatever differs is looked at again until it agrees or the patience is over.
"""

from ops.fsck.databases import CannotLook
from ops.fsck.examine import check
from ops.fsck.report import Finding, Kind, Report

__all__ = ["CannotLook", "Finding", "Kind", "Report", "check"]
