"""`make sbom`: everything that the image installs stands in the bill of materials, with version and hashes."""

import json
import re
import subprocess
from pathlib import Path

from tests.tidy.tree import ROOT


def test_the_bill_holds_every_package_of_the_image_with_its_hashes(tmp_path: Path) -> None:
    path = tmp_path / "made" / "sbom.json"
    done = subprocess.run(
        ["make", "--no-print-directory", "sbom", f"SBOM={path}"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    bill = json.loads(path.read_text(encoding="utf-8"))
    locked = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")

    assert bill["bomFormat"] == "CycloneDX"
    assert {(one["name"], one["version"]) for one in bill["components"]} == set(
        re.findall(r"^([a-z0-9._-]+)(?:\[[a-z0-9,]+\])?==([^\s;]+)", locked, re.MULTILINE | re.IGNORECASE)
    )
    hashes = {
        found["content"]
        for one in bill["components"]
        for reference in one["externalReferences"]
        for found in reference["hashes"]
    }
    assert hashes == set(re.findall(r"sha256:([0-9a-f]{64})", locked))
