"""Every command and every script of the pages is run by a test, and it is known by which.

What no test can run is printed: ``pytest -s -k cannot_run tests/docs/test_every_block.py``.
"""

from __future__ import annotations

import re

import pytest
from page import COMMANDS, PAGES, ROOT, Block, blocks, needs_a_cluster

RUN = (*COMMANDS, "python")

RUN_BY: dict[str, dict[str, str]] = {
    "README.md": {"python": "tests/docs/test_pages.py::test_the_calls_of_the_readme_run"},
    "api.md": {"python": "tests/docs/test_pages.py::test_the_inspection_api_runs"},
    "batches.md": {
        "python": "tests/docs/test_pages.py::test_a_page_about_the_reference_application_runs"
    },
    "chords.md": {
        "python": "tests/docs/test_pages.py::test_a_page_about_the_reference_application_runs",
        "sh": "tests/docs/test_chords_page.py::test_with_a_stuck_chord",
    },
    "cli.md": {
        "python": "tests/docs/test_cli_page.py::test_every_command_runs_in_the_order_of_the_page",
        "sh": "tests/docs/test_cli_page.py::test_every_command_runs_in_the_order_of_the_page",
    },
    "compatibility.md": {"sh": "tests/docs/test_pages.py::test_the_programs_of_a_section_start"},
    "configuration.md": {"sh": "tests/docs/test_pages.py::test_the_programs_of_a_section_start"},
    "cron.md": {"python": "tests/docs/test_cron_page.py::test_the_python_of_the_page_runs"},
    "dashboard.md": {
        "python": "tests/docs/test_pages.py::test_the_page_about_the_dashboard_runs",
        "sh": "tests/docs/test_pages.py::test_the_addresses_of_the_dashboard_answer",
    },
    "docker.md": {"sh": "tests/docs/test_docker_page.py::test_supervisor_does_what_it_is_told"},
    "health.md": {"sh": "tests/docs/test_health_page.py::test_the_commands_of_the_page_run"},
    "index.md": {
        "python": "tests/docs/test_index_page.py::test_the_quick_starts_run",
        "sh": "tests/docs/test_index_page.py::test_the_quick_starts_run",
    },
    "kubernetes.md": {"sh": "tests/docs/test_pages.py::test_a_password_is_made"},
    "logs.md": {
        "python": "tests/docs/test_pages.py::test_what_is_said_of_logs_runs",
        "sh": "tests/docs/test_pages.py::test_what_is_said_of_logs_runs",
    },
    "metrics.md": {
        "sh": "tests/metrics/test_page.py::test_the_programs_of_the_page_run_as_they_stand_there"
    },
    "migration.md": {
        "python": "tests/docs/test_migration_page.py::test_the_way_there_and_back",
        "sh": "tests/docs/test_migration_page.py::test_the_way_there_and_back",
    },
    "production.md": {
        "python": "tests/docs/test_production_page.py::"
        "test_every_command_runs_and_a_rolling_restart_loses_nothing",
        "sh": "tests/docs/test_production_page.py::"
        "test_every_command_runs_and_a_rolling_restart_loses_nothing",
    },
    "quickstart.md": {
        "python": "tests/docs/test_pages.py::test_with_a_celery_app_that_you_have",
        "sh": "tests/docs/test_pages.py::test_from_an_empty_folder_to_a_job_that_ran",
    },
    "redis.md": {"sh": "tests/docs/test_pages.py::test_the_commands_about_redis_and_celery_run"},
    "security.md": {
        "python": "tests/docs/test_security_page.py::test_the_page_runs",
        "sh": "tests/docs/test_security_page.py::test_the_page_runs",
    },
    "settings.md": {"python": "tests/docs/test_pages.py::test_settings_run"},
    "tenancy.md": {
        "python": "tests/docs/test_pages.py::test_a_page_about_the_reference_application_runs"
    },
    "testing.md": {
        "python": "tests/docs/test_testing_page.py::test_the_page_runs",
        "sh": "tests/docs/test_testing_page.py::test_the_page_runs",
    },
    "troubleshooting.md": {"sh": "tests/docs/test_troubleshooting_page.py::test_the_page_runs"},
    "workers.md": {
        "python": "tests/docs/test_pages.py::test_the_workers_guide_runs",
        "sh": "tests/docs/test_pages.py::test_the_commands_about_redis_and_celery_run",
    },
}
"""Page -> what its blocks hold -> the test that runs all of them (of several, one)."""

FOUND = [block for page in PAGES for block in blocks(page) if block.info in RUN]


def left_out(block: Block) -> list[str]:
    """Return the commands of a block that no test can run."""
    if block.info not in COMMANDS:
        return []
    return [command for command in block.commands if needs_a_cluster(command)]


def is_run(block: Block) -> bool:
    return block.info == "python" or len(left_out(block)) < len(block.commands)


@pytest.mark.parametrize("block", [block for block in FOUND if is_run(block)], ids=str)
def test_a_test_runs_it(block: Block) -> None:
    kind = "sh" if block.info in COMMANDS else block.info
    path, _, name = RUN_BY.get(block.page, {}).get(kind, "").partition("::")
    assert name, f"{block} is run by no test"
    assert f"\ndef {name}(" in (ROOT / path).read_text(), f"{block}: no {name} in {path}"


def test_what_tests_cannot_run_needs_a_cluster_or_docker() -> None:
    print()
    for block in FOUND:
        for command in left_out(block):
            why = "no Docker here" if command.startswith("docker ") else "no cluster here"
            print(f"{block}: {command}  ({why})")
            assert re.match(r"(kubectl|docker) ", command)
