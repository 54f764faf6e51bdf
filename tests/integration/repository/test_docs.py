"""The commands in README.md and docs/ run, and the pages match the code."""

import fnmatch
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.checkouts import ROOT, copy_repository
from support.tiny import TINY

from lib.cli.main import main, parser
from lib.settings.load import resolve_settings

pytestmark = pytest.mark.workflow
# The pages of these folders hold no commands to run here.
FOLDERS = (".github", "config", "docs/decisions", "envs", "examples")
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]


def commands(page: str) -> list[str]:
    """Return the commands in a page's bash blocks, indented snakemake lines and inline code."""
    text = (ROOT / page).read_text()
    lines = [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    lines += re.findall(r"^    (snakemake .*)$", text, re.MULTILINE)
    lines += [f"make {target}" for target in re.findall(r"`make ([a-z0-9-]+)", text)]
    lines += re.findall(r"`(python -m lib [a-z-]+[^`]*)`", text)
    return [line.split("  #")[0].strip() for line in lines if line.strip()]


EVERY = sorted({command for page in PAGES for command in commands(page)})


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, finished: Path) -> Path:
    """A copy of the repository in which the criteria agent has run with a tiny budget."""
    folder = copy_repository(tmp_path_factory.mktemp("docs") / "repository", tiny=TINY)
    shutil.copytree(finished / "results", folder / "results", dirs_exist_ok=True)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "posts.csv").write_text('post_id,text\na,"I cannot sleep. Work was fine."\n')
    (folder / "data").mkdir()
    for corpus in ("data/redsm5", "path/to/corpus"):
        shutil.copytree(finished / "results/generated", folder / corpus)
    settings = (folder / "results/settings.json").read_text()
    (folder / "results/settings.json").write_text(re.sub(r'"agents": \[[^]]*\]', '"agents": ["criteria"]', settings))
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/installed").touch()
    return folder


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder), "HOME": str(folder)}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def run_here(folder: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command of `python -m lib` in this process, in which the libraries are already loaded."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    try:
        return main(words)
    except SystemExit as stop:
        return int(stop.code or 0)


def runnable(command: str) -> str:
    """Return the form of a command that is quick enough for a test, such as a dry run."""
    if command.startswith("make "):
        return f"make -n -o .venv/installed {command.removeprefix('make ')}"
    if command.startswith("snakemake "):
        first, *rest = shlex.split(command)
        small = [] if "--profile" in rest or "--configfile" in rest else ["--configfile", "tiny.yaml"]
        return shlex.join([first, "-n", *small, *rest])
    if command.startswith("clinical-search "):
        words = command.split(" > ", maxsplit=1)[0].removeprefix("clinical-search ")
        return f"{sys.executable} -m lib {words} | grep -q _shtab"
    return command


@pytest.mark.parametrize("command", EVERY)
def test_a_command_of_the_documentation_runs(
    command: str, checkout: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if "…" in command or "FILE" in command or re.search(r"\b[A-Z]{4,}\b", command):
        pytest.skip("a pattern, no command")
    if command == ". .venv/bin/activate" or "lib check" in command or "lib augment " in command:
        pytest.skip("run by the tests of check and of the graph that augments")
    if "--watch" in command:
        command = command.split(" --watch", maxsplit=1)[0]
    if command.startswith("python -m lib "):
        words = shlex.split(command.removeprefix("python -m lib "))
        if words[0] == "estimate":  # limits the measurement to a second
            words += ["--seconds", "1"]
        assert run_here(checkout, words, monkeypatch) == 0, f"{command}: {capfd.readouterr()}"
        return
    done = run(checkout, runnable(command))
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def test_validation_is_production_on_a_tenth_of_the_posts(checkout: Path, monkeypatch) -> None:
    done = run(checkout, "snakemake -n --configfile config/supermax.yaml config/validate.yaml -- all")
    assert done.returncode == 0, done.stderr
    files = [ROOT / "config" / f"{name}.yaml" for name in ("config", "supermax", "validate")]
    monkeypatch.chdir(checkout)
    found = resolve_settings(files, None)
    assert found.space == resolve_settings(files[:2], None).space, "the same space, another budget"
    assert found.config.corpus.share == 0.1
    assert found.config.stage_a.trials == found.config.stage_b.trials == 10


def test_every_command_has_help_and_every_argument_is_explained() -> None:
    subs = next(action for action in parser()._actions if hasattr(action, "choices") and action.choices)
    assert subs.choices is not None and len(subs.choices) > 25
    for name, sub in subs.choices.items():
        assert sub.description, name
        for action in sub._actions:
            assert action.help, f"{name} {action.dest}"


def test_shell_completion_works(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lib", "completion", "bash"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (tmp_path / "completion").write_text(done.stdout)
    name = re.search(r"complete -o \S+ -F (\S+) clinical-search", done.stdout).group(1)
    ask = f'source completion; COMP_WORDS=(clinical-search est); COMP_CWORD=1; {name}; echo "${{COMPREPLY[@]}}"'
    shell = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shell.stdout.strip() == "estimate"


def test_every_key_of_the_configuration_is_explained() -> None:
    from lib.settings.config import Config

    text = (ROOT / "config/README.md").read_text()
    for name, field in Config.model_fields.items():
        below = getattr(field.annotation, "model_fields", None)
        if below is None:
            assert f"`{name}`" in text, name
        else:
            for key in below:
                assert f"`{name}.{key}`" in text or (f"`{name}." in text and f"`.{key}`" in text), f"{name}.{key}"


def test_links_between_pages_have_targets() -> None:
    everywhere = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.md"))]
    for page in [*(ROOT / page for page in PAGES), ROOT / "CONTRIBUTING.md", *everywhere]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert page.parent.joinpath(target).exists(), f"{page}: {target}"


def test_pages_break_at_100_columns() -> None:
    files = [ROOT / page for page in [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"]]
    files += [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.md"))]
    for path in files:
        prose = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        for line in prose.splitlines():
            unbreakable = line.startswith(("|", "    ", "[![", "![")) or " " not in line.strip("*- ")
            assert len(line) <= 100 or unbreakable, f"{path.relative_to(ROOT)}: {line}"


def ask_snakemake(checkout: Path, option: str, more: str = "") -> str:
    """Return what Snakemake prints about the graph of one agent that augments."""
    augmented = "'constraints={aug.enabled: {choices: [false, true]}}'"
    done = run(checkout, f"snakemake --quiet all {option} --config {augmented} 'agents=[criteria]' {more} -- all")
    assert done.returncode == 0, done.stderr
    return done.stdout


def closure(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return every (rule, later rule) of a graph."""
    while more := {(a, d) for a, b in edges for c, d in edges if b == c} - edges:
        edges = edges | more
    return edges


def test_the_readme_draws_the_graph_of_the_rules(checkout: Path) -> None:
    graph = ask_snakemake(checkout, "--rulegraph")
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', graph))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", graph) if names[b] != "all"}
    drawing = re.search(r"```mermaid\nflowchart LR\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert drawing is not None
    chains = [re.split(r" -\.?-> ", re.sub(r"\[.*?\]", "", line.strip())) for line in drawing[1].splitlines()]
    drawn = {pair for chain in chains for pair in itertools.pairwise(chain)}
    assert closure(drawn) == closure(edges)


@pytest.fixture(scope="module")
def rule_of_file(checkout: Path) -> dict[str, str]:
    """The rule that writes each file of the graph, with a race after a repeat and nested cross-validation."""
    shown = ask_snakemake(checkout, "--summary", "'stage_c={repeats: 2}' outer_folds=2")
    head, *lines = (line.split("\t") for line in shown.splitlines())
    return {line[0]: line[head.index("rule")] for line in lines}


def test_the_documented_data_flow_matches_the_rules(rule_of_file: dict[str, str]) -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| `lib/[^`]+` \| `([^`]+)` \|$", text, re.MULTILINE)
    assert len(rows) >= 8
    for command, result in rows:
        written = fnmatch.filter(rule_of_file, re.sub(r"\{\w+\}", "*", result))
        assert {rule_of_file[path] for path in written} == {command.replace("-", "_")}, result


def test_the_readme_lists_the_files_of_the_rules(checkout: Path, rule_of_file: dict[str, str]) -> None:
    outputs = set(rule_of_file)
    table = (ROOT / "README.md").read_text().split("## What each file holds")[1]
    patterns = []
    for cell in re.findall(r"^\| (`results/.*?) \|", table, re.MULTILINE):
        first, *others = re.findall(r"`(.*?)`", cell)
        patterns += [first, *(f"{first.rstrip('/').rpartition('/')[0]}/{name}" for name in others)]
    globs = {re.sub(r"\{\w+\}", "*", pattern).rstrip("/") for pattern in patterns}
    matched = {glob: fnmatch.filter(outputs, glob) + fnmatch.filter(outputs, f"{glob}/*") for glob in globs}
    assert outputs - {path for found in matched.values() for path in found} == set(), "outputs that no row names"
    # Only a run under Snakemake with MLflow writes these.
    absent = {"results/mlflow.db", "results/mlartifacts", "results/*/benchmarks"}
    assert [glob for glob in globs - absent if not matched[glob] and not list(checkout.glob(glob))] == []


def test_github_runs_the_commands_of_ci() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    ours = (ROOT / ".ci/run").read_text().splitlines()
    assert steps == [line for line in ours if line.startswith("make ")]


def test_the_configuration_files_are_mappings() -> None:
    for path in (ROOT / "config").glob("*.yaml"):
        assert isinstance(yaml.safe_load(path.read_text()), dict), path
