"""Asks the service of known vulnerabilities about every package that the image holds, and says plainly when it can't.

pip-audit itself ends with status 0 when it could look up nothing; an audit that did not happen must not read as a clean
one. Status: 0 no known vulnerability, or nothing could be asked and the last line says NOT AUDITED; 1 a vulnerability, or
packages that could not be looked up while others could; 2 pip-audit failed for another reason.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REQUIREMENTS = Path("requirements") / "run.txt"
TIMEOUT_S = 300.0
UNREACHABLE = (
    "ConnectionError", "ConnectTimeout", "ReadTimeout", "NewConnectionError", "NameResolutionError", "MaxRetryError",
    "SSLError", "ProxyError", "Temporary failure in name resolution", "Could not connect", "ServiceError",
)  # fmt: skip
"""What pip-audit's complaints hold when its service can't be reached."""


@dataclass(frozen=True)
class Verdict:
    """What to print, and the status to end with."""

    lines: tuple[str, ...]
    status: int


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("requirements", nargs="?", type=Path, default=REQUIREMENTS)
    options = parser.parse_args()
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(options.requirements), "--disable-pip"),
        *("--require-hashes", "--format", "json", "--progress-spinner", "off"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        verdict = not_audited(f"no answer within {TIMEOUT_S:g} s")
    else:
        verdict = judge(done.stdout, done.stderr)
    print("\n".join(verdict.lines))
    return verdict.status


def judge(out: str, err: str) -> Verdict:
    """What pip-audit's two outputs mean."""
    try:
        packages: list[dict[str, Any]] = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        if any(word in err for word in UNREACHABLE):
            return not_audited(last)
        return Verdict((f"pip-audit failed: {last}",), 2)
    unasked = [one["name"] for one in packages if "skip_reason" in one]
    asked = [one for one in packages if "skip_reason" not in one]
    if not asked:
        return not_audited(f"none of {len(unasked)} packages could be looked up")
    found = [f"{one['name']} {one['version']}: {_words(flaw)}" for one in asked for flaw in one["vulns"]]
    if unasked:
        found.append(f"could not be looked up: {', '.join(unasked)}")
    if found:
        return Verdict((*found, f"{len(asked)} packages asked about, {len(found)} findings"), 1)
    return Verdict((f"{len(asked)} packages asked about, no known vulnerability",), 0)


def not_audited(why: str) -> Verdict:
    """Nothing was learned."""
    return Verdict((f"NOT AUDITED: the service of known vulnerabilities can't be reached from here ({why})",), 0)


def _words(flaw: dict[str, Any]) -> str:
    fixed = ", ".join(flaw.get("fix_versions", [])) or "no release"
    return f"{flaw['id']}, fixed in {fixed}"


if __name__ == "__main__":
    raise SystemExit(main())
