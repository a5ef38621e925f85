"""Logs that earlier releases wrote fold to what they folded to then, in every process."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.histories.golden import digest_of, golden_logs, read_golden

from taskservice.domain.event_codec import UnknownEvent, decode_event, encode_event
from taskservice.domain.events import AnyEvent, TenantSettingsChanged
from taskservice.domain.tenants import TenantSettings

EVENT_TYPES = {member.__name__ for member in AnyEvent.__args__}
ROOT = Path(__file__).parents[3]
SEEDS = ("0", "1", "2", "1789", "4294967295")
PRINT_DIGESTS = (
    "from tests.histories.golden import *\nfor path in golden_logs(): print(digest_of(read_golden(path)[1]))\n"
)


@pytest.mark.fault("F54", invariants="I17 I19")
@pytest.mark.parametrize("path", golden_logs(), ids=lambda path: path.stem)
def test_what_a_release_wrote_folds_to_what_it_folded_to_then(path: Path) -> None:
    promised, entries = read_golden(path)

    assert digest_of(entries) == promised
    assert len(entries) > 500


@pytest.mark.fault("F54", invariants="I19")
def test_every_type_of_event_is_in_a_golden_log() -> None:
    found = {type(decode_event(one.event)).__name__ for path in golden_logs() for one in read_golden(path)[1]}

    assert len(golden_logs()) >= 2
    missing = sorted(EVENT_TYPES - found)
    assert missing == [], f"write a golden log that holds {missing}: see tests/histories/golden.py"


@pytest.mark.fault("F54", invariants="I19")
def test_what_no_release_knows_is_carried_and_changes_nothing() -> None:
    for path in golden_logs():
        _, entries = read_golden(path)
        unknown = [one for one in entries if isinstance(decode_event(one.event), UnknownEvent)]
        assert unknown, path.stem
        for one in unknown:
            event = decode_event(one.event)
            assert isinstance(event, UnknownEvent)
            assert event.raw == one.event


@pytest.mark.fault("F54", invariants="I19")
def test_a_retired_form_is_read_as_todays() -> None:
    common = {"ts": 7, "at": 6, "tenant_id": "acme", "cause": "5-0#0"}
    retired = {"type": "TenantSettingsChanged", **common, "name": "Acme", "queues": ["gpu"], "max_waiting_instances": 3}
    settings = TenantSettings(name="Acme", queues=("gpu",), max_waiting_instances=3)
    today = TenantSettingsChanged(ts=7, at=6, tenant_id="acme", cause="5-0#0", settings=settings)

    assert decode_event(msgspec.json.encode(retired)) == today
    assert decode_event(encode_event(today)) == today
    with pytest.raises(msgspec.ValidationError):
        decode_event(msgspec.json.encode({**retired, "queues": 7}))


@pytest.mark.fault("F57", invariants="I19")
def test_the_fold_is_the_same_whatever_python_hashes_to() -> None:
    promised = [read_golden(path)[0] for path in golden_logs()]

    for seed in SEEDS:
        printed = subprocess.run(
            [sys.executable, "-c", PRINT_DIGESTS],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert printed.stdout.split() == promised, f"PYTHONHASHSEED={seed}"
