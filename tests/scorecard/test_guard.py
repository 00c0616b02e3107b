"""The guard: it finds what a test leaves behind, each thing by its own part."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from . import offenders

ROOT = Path(__file__).parents[2]


def test_each_part_goes_red(tmp_path):
    """Every offender fails, with its own name in the message; the one that is none does not."""
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", offenders.__file__, "-q", f"--junit-xml={report}"]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False, timeout=60)
    told: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        failures = (*case.iter("failure"), *case.iter("error"))
        told.setdefault(case.get("name"), "")
        told[case.get("name")] += "".join(failure.get("message") for failure in failures)
    assert {told.pop("test_nothing[asyncio]"), told.pop("test_nothing[trio]")} == {""}
    assert len(told) == 14
    for name, message in told.items():
        offence = re.sub(r"\[.*", "", name).removeprefix("test_").replace("_", " ")
        assert offence in message, name
