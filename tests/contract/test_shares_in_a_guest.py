"""The tests of NFS shares in a guest: its kernel has a client of NFS, which the kernel of a container often lacks."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.servers import user_mode


@pytest.mark.timeout(1500)
@pytest.mark.server("user-mode-linux")
def test_nfs_shares_keep_the_contract_in_a_guest(tmp_path: Path) -> None:
    place = tmp_path / "guest"
    place.mkdir()
    report = place / "report.xml"
    # The server needs a file system that knows its files by handles.
    options = [f"--basetemp={user_mode.memory(place) / 'tests'}", f"--junitxml={report}", "-p", "no:cacheprovider"]
    tests = [str(Path(__file__).with_name("test_shares.py")), "-m", "server", "-k", "nfs", "--timeout=600"]
    done = user_mode.run([sys.executable, "-m", "pytest", *options, *tests], place, ["nfsv4"], patience_s=1400)
    print(done.output)
    assert done.code == 0, done.output
    found = ElementTree.parse(report).find("testsuite")
    assert found is not None
    assert found.get("skipped") == "0", done.output
    assert int(found.get("tests", "0")) > 40, done.output
