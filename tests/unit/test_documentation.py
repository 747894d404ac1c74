"""What the README and its neighbours say is so: its code runs, its numbers and names fit."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

import alphacrit
from alphacrit.cli import main
from learners import errors
from sim.scenario import fields_markdown, loads

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", blocks("python"), ids=["api", "mesa"])
def test_the_python_of_the_readme_runs(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out.split("\n")
    promised = re.findall(r"print\(.*\) +# ([\d.]+)\.\.\.$", code, flags=re.MULTILINE)
    for line, digits in zip(printed, promised, strict=False):
        assert line.startswith(digits)
    assert len(promised) == (2 if "critical_threshold" in code else 0)


def test_the_scenarios_of_the_readme_are_valid(tmp_path: Path) -> None:
    text, trained = blocks("toml")
    assert loads(text).names == ("union", "guild")
    (tmp_path / "p0.csv").write_text("watermark,label\nno,a\nno,a\nno,b\nyes,a\n")
    people = 'name = "x"\npopulation = { size = 10, cost = 0.3 }\n'
    assert loads(people + trained, folder=tmp_path).platform.learner == "bayes"


def test_the_commands_of_the_readme_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (commands,) = [block for block in blocks("sh") if "alphacrit list" in block]
    for line in commands.splitlines():
        words = line.split("#")[0].split()
        code = main([*words[1:], *(["--no-figures"] if words[1] == "run" else [])])
        assert code == 0, f"{line}: {capsys.readouterr().err}"


def test_the_exit_codes_of_the_readme_are_those_of_the_errors() -> None:
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)}
    raised = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.AlphacritError)
    }
    assert table == raised | {0, 2, 4, 130}  # usage, failed runs and interrupts are no errors


def test_the_list_of_fields_is_up_to_date() -> None:
    written = (ROOT / "docs" / "scenario.md").read_text(encoding="utf-8")
    assert written.split("\n\n", 2)[2].rstrip() == fields_markdown().rstrip(), "run: make docs"


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"version: {project['version']}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## [{project['version']}] - " in (ROOT / "CHANGELOG.md").read_text()
    assert project["version"] == alphacrit.__version__


def test_the_constraints_name_a_version_of_every_requirement() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=! ]", each)[0].lower() for each in wanted} - {"alphacrit"}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    assert names <= pinned
