"""`make audit`: an audit that did not happen is never reported as a clean one."""

import json

from deploy.audit import judge

CLEAN = {"name": "click", "version": "8.1", "vulns": []}
UNASKED = {"name": "redis", "skip_reason": "Dependency not found on PyPI and could not be audited: redis (8.0)"}
FLAWED = {
    "name": "jinja2", "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}, {"id": "PYSEC-2", "fix_versions": []}],
}  # fmt: skip


def answer(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_clean_says_how_many_were_asked_about() -> None:
    verdict = judge(answer(CLEAN, CLEAN), "No known vulnerabilities found")

    assert (verdict.status, verdict.lines) == (0, ("2 packages asked about, no known vulnerability",))


def test_what_could_not_be_asked_at_all_is_not_audited() -> None:
    verdict = judge(answer(UNASKED, UNASKED), "No known vulnerabilities found, 2 skipped")

    assert verdict.status == 0
    assert verdict.lines[-1].startswith("NOT AUDITED: ")
    assert "none of 2 packages" in verdict.lines[-1]


def test_what_could_be_asked_in_part_is_a_finding() -> None:
    verdict = judge(answer(CLEAN, UNASKED), "")

    assert verdict.status == 1
    assert "could not be looked up: redis" in verdict.lines


def test_every_vulnerability_is_named_with_its_fix() -> None:
    verdict = judge(answer(CLEAN, FLAWED), "Found 2 known vulnerabilities in 1 package")

    assert verdict.status == 1
    assert verdict.lines[:2] == ("jinja2 2.0: PYSEC-1, fixed in 2.1", "jinja2 2.0: PYSEC-2, fixed in no release")


def test_no_network_is_not_audited() -> None:
    verdict = judge("", "ERROR:pip_audit: requests.exceptions.ConnectionError: Max retries exceeded")

    assert verdict.status == 0
    assert verdict.lines[-1].startswith("NOT AUDITED: ")


def test_any_other_failure_is_one() -> None:
    assert judge("", "ERROR: requirements/run.txt: no such file").status == 2
    assert judge("", "").status == 2
