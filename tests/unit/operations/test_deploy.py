"""The files to deploy with agree with the program, the lock file and the operators' page."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml  # type: ignore[import-untyped]  # publishes no type information
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ibp_chain.cli import ledger
from ibp_chain.cli.deferred import imported
from ledger.health import Verdict
from ledger.metrics import FollowMetrics
from tests.support.command_line import ROOT
from tests.unit.operations.followed import NOW_MS, WELL

DEPLOY = ROOT / "scripts" / "deploy"
UNITS = sorted(path.name for path in DEPLOY.glob("*@.*"))
SERVICES = [name for name in UNITS if name.endswith(".service")]
CONTAINER = (DEPLOY / "Containerfile").read_text()
PAGE = (ROOT / "docs" / "operations.md").read_text()
HARDENED = {
    "DynamicUser": "yes",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
}


def unit(name: str) -> RawConfigParser:
    """A unit's sections; of an option that is there more than once, the last."""
    parser = RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names as they are
    parser.read(DEPLOY / name)
    return parser


def options(command: str) -> set[str]:
    """What a command of `ibp ledger` takes."""
    group: Any = typer.main.get_command(ledger.app)
    later = ledger.COMMANDS.get(command)
    found = group.commands[command] if later is None else imported(later)
    return {option for each in found.params for option in each.opts}


# --- systemd ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_as_nobody_and_writes_nowhere_else(name: str) -> None:
    service = unit(name)["Service"]
    assert {option: service.get(option) for option in HARDENED} == HARDENED
    assert service["StateDirectory"].split()[0] == "ibp/%i"
    assert service["WorkingDirectory"] == "%S/ibp/%i"
    assert service["EnvironmentFile"] == "/etc/ibp/%i.env"


def test_the_follower_is_watched_and_started_again() -> None:
    service = unit("ibp-ledger@.service")["Service"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "on-failure"
    assert int(service["WatchdogSec"]) > 600
    # a failed check is for people: it is told as long as it takes, and not begun anew
    assert " --stay " in service["ExecStart"]
    assert service["RestartPreventExitStatus"] == "1"
    assert unit("ibp-ledger@.service")["Unit"]["StartLimitIntervalSec"] == "0"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("ibp-ledger@.service", "follow"),
        ("ibp-ledger-backup@.service", "backup"),
    ],
)
def test_a_service_starts_a_command_that_there_is(name: str, command: str) -> None:
    started = unit(name)["Service"]["ExecStart"]
    assert f"/opt/ibp/bin/ibp ledger {command} " in started
    given = set(re.findall(r"\s(--[a-z-]+)", started))
    assert given
    assert given <= options(command)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_no_fault_in_a_unit(name: str, tmp_path: Path) -> None:
    assert unit(name).sections()
    analyze = shutil.which("systemd-analyze")
    if analyze is None:  # then the other tests here are what there is
        return
    for each in UNITS:  # the timer's service too; with a program that is here
        text = (DEPLOY / each).read_text().replace("/opt/ibp/bin/ibp", sys.executable)
        (tmp_path / each).write_text(text)
    whole = tmp_path / name.replace("@.", "@polkadot.")
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(whole)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- Container ----------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """(name, rest) of each, continued lines joined."""
    lines = CONTAINER.replace("\\\n", " ").splitlines()
    found = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return [(name, " ".join(rest.split())) for name, rest in found]


def copied() -> list[str]:
    """From the tree, not from another stage."""
    rests = [rest for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    return [source for rest in rests for source in rest.split()[:-1]]


def test_everything_that_the_container_copies_is_there() -> None:
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def test_the_container_has_every_package_that_is_built() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    built = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(built) <= set(copied())
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= set(copied())


def test_only_what_the_lock_file_has_a_hash_of_is_installed() -> None:
    installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert len(installs) == 2
    assert "--require-hashes --requirement requirements.lock" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==.*(?:\n    .*)*", lock, re.MULTILINE)
    assert len(pins) > 50
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []


def test_the_container_runs_as_nobody_and_looks_at_its_health() -> None:
    found = dict(instructions())
    assert found["USER"] == "10001:10001"
    _, _, command = found["HEALTHCHECK"].partition("CMD ")
    python, flag, program = json.loads(command)
    assert (python, flag) == ("/opt/ibp/bin/python", "-c")
    compile(program, "HEALTHCHECK", "exec")
    assert f":{found['EXPOSE']}/healthz" in program
    assert json.loads(found["ENTRYPOINT"]) == ["/opt/ibp/bin/ibp"]


# --- Prometheus ---------------------------------------------------------------------------


def rules() -> list[dict[str, object]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"]
    found = group["rules"]
    assert isinstance(found, list)
    return found


def test_every_alarm_is_about_a_metric_that_is_told() -> None:
    metrics = FollowMetrics([lambda: WELL], lambda: NOW_MS / 1_000)
    exposed = generate_latest(metrics.registry).decode()
    told = {
        sample.name
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    }
    for rule in rules():
        asked = set(re.findall(r"ibp_ledger_[a-z_]+", str(rule["expr"])))
        assert asked <= told
        elsewhere = re.findall(r"\b(?:up|node_systemd_[a-z_]+)\{", str(rule["expr"]))
        assert asked or elsewhere


def test_a_failed_backup_and_a_failed_check_are_alarms() -> None:
    found = {str(rule["alert"]): str(rule["expr"]) for rule in rules()}
    assert int(Verdict.FAILED) == 3
    assert found["IbpLedgerFailed"] == "ibp_ledger_verdict == 3"
    assert 'name=~"ibp-ledger-backup@.+[.]service"' in found["IbpLedgerBackupFailed"]
    assert "ibp-ledger-backup@.service" in SERVICES


def test_every_kind_of_error_that_an_alarm_asks_for_is_told() -> None:
    metrics = FollowMetrics([lambda: WELL], lambda: NOW_MS / 1_000)
    exposed = generate_latest(metrics.registry).decode()
    for rule in rules():
        for kinds in re.findall(r'kind=~?"([^"]+)"', str(rule["expr"])):
            for kind in kinds.split("|"):
                assert f'kind="{kind}"' in exposed


def test_the_operators_page_says_what_each_alarm_means() -> None:
    named = {str(rule["alert"]) for rule in rules()}
    assert len(named) == len(rules())
    assert named == set(re.findall(r"^\| `(Ibp\w+)` \|", PAGE, re.MULTILINE))
    assert {str(rule["labels"]["severity"]) for rule in rules()} == {"page", "ticket", "info"}  # type: ignore[index]  # a table


def test_the_operators_page_names_every_metric() -> None:
    metrics = FollowMetrics([lambda: WELL], lambda: NOW_MS / 1_000)
    exposed = generate_latest(metrics.registry).decode()
    told = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(exposed)
        if not family.name.endswith("_created")
    }
    assert told == set(re.findall(r"`(ibp_ledger_\w+)`", PAGE.partition("### Metrics")[2]))
