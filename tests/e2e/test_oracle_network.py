"""Two days of a whole network: four daemons, a bad oracle, 13 members and a chain.

One daemon is killed while it commits, one cannot reach anybody around midnight, a member is down
over midnight, and the bad oracle does what `scripts.network.byzantine.SINS` says. The network
takes as much longer as the machine is slow: five minutes on two cores that have nothing else to do.
"""

from pathlib import Path

import pytest

from scripts.network.checks import examine
from scripts.network.course import ran, short_course
from scripts.network.main import print_findings

pytestmark = [pytest.mark.live, pytest.mark.campaign, pytest.mark.timeout(1_500)]


def test_honest_oracles_agree_and_nobody_is_charged_for_what_did_not_happen(tmp_path: Path) -> None:
    with ran(short_course(), tmp_path, print) as run:
        findings = examine(run)
        print_findings(run, findings)
    assert not findings.failures
    assert len(findings.passed) == 9
