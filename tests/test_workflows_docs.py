"""The examples of docs/workflows.md are workflows, and its tables say what the code does."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from streampoll.config.report import Report
from streampoll.config.workflow_steps import _StepTable
from streampoll.config.workflows import SHIPPED, _WorkflowTable, read_workflows
from tests.docs_support import blocks, text_of
from tests.workflow_support import faults

EXAMPLES = list(blocks(text_of("docs/workflows.md"), "toml"))


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_a_workflow(text: str, tmp_path: Path) -> None:
    (tmp_path / "example.toml").write_text(text)
    report = Report()
    assert "example" in read_workflows(tmp_path, "workflows", report)
    assert not report.faults


def test_every_key_is_in_the_tables() -> None:
    page = text_of("docs/workflows.md")
    for table in (_StepTable, _WorkflowTable):
        for each in fields(table):
            assert f"`{each.name}`" in page, each.name


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_workflow_that_is_shipped_is_right_and_documented(path: Path) -> None:
    assert not faults(path.read_text())
    assert tomllib.loads(path.read_text())["description"]
    assert f"**{path.stem}**" in text_of("docs/workflows.md")
