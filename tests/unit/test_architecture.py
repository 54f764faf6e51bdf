"""The structure of lib is as docs/architecture.md describes it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from support.checkouts import ROOT

from lib.cli.main import GROUPS

LIB = ROOT / "lib"
MODULES = sorted(path for path in LIB.rglob("*.py") if path.parent != LIB or path.stem in {"errors", "pydantic_base"})


def layers() -> list[list[str]]:
    """Return the folders of each layer of lib, lowest layer first."""
    block = re.search(r"^## Layers$.*?^```text\n(.*?)^```$", architecture(), re.S | re.M)
    assert block is not None
    return [line.split(", ") for line in block[1].splitlines()]


def architecture() -> str:
    return (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the (module, name) pairs that a module imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: a relative import hides its folder"
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def layer_name(parts: tuple[str, ...]) -> str:
    return Path(parts[0]).stem


def test_the_table_of_folders_is_complete() -> None:
    block = re.search(r"^## Folders of lib$(.*?)^## ", architecture(), re.S | re.M)
    assert block is not None
    rows = re.findall(r"^\| `([a-z_]+)(?:\.py)?` \|", block[1], re.M)
    assert rows == [name for names in layers() for name in names]


def test_every_path_in_the_architecture_exists() -> None:
    paths = re.findall(r"`((?:lib|config|rules|workflow|docs|tests|benchmarks)/[^`{*]*)`", architecture())
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_a_command_stands_in_its_own_file() -> None:
    found = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in LIB.glob("cli/*/[a-z]*.py")}
    commands = [(group.split()[0], command) for group, listed in GROUPS.items() for command in listed]
    assert found == {f"lib.cli.{group}.{command.name.replace('-', '_')}" for group, command in commands}
    assert found == {command.run.__module__ for _, command in commands}


def test_imports_run_down_the_layers() -> None:
    level = {name: number for number, names in enumerate(layers()) for name in names}
    assert set(level) == {layer_name(path.relative_to(LIB).parts) for path in MODULES}
    for path in MODULES:
        own = layer_name(path.relative_to(LIB).parts)
        for module, name in imports(path):
            if module == "lib" or module.startswith("lib."):
                other = [*module.split("."), name][1]
                assert other == own or level[other] < level[own], f"{path} imports {module}"


def test_a_folder_has_at_most_twelve_files() -> None:
    modules = [path for top in ("lib", "tests", "benchmarks", "examples") for path in ROOT.glob(f"{top}/**/*.py")]
    for folder in {path.parent for path in modules}:
        files = [path.name for path in folder.iterdir() if path.is_file()]
        assert len(files) <= 12, f"{folder}: {files}"


def test_no_two_modules_share_a_name() -> None:
    commands = set(LIB.glob("cli/*/*.py"))
    modules = [path for path in MODULES if path not in commands] + [*ROOT.glob("tests/support/*.py")]
    names = [path.stem for path in modules if path.name != "__init__.py"]
    assert sorted(set(names)) == sorted(names), [name for name in names if names.count(name) > 1]


def test_optunas_private_names_are_imported_in_one_module() -> None:
    users = {
        path.name
        for path in [*MODULES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
        for module, name in imports(path)
        if module.startswith("optuna") and any(part.startswith("_") for part in [*module.split("."), name])
    }
    assert users == {"optuna_internals.py"}


def test_one_module_opens_the_test_set() -> None:
    assert [path.name for path in MODULES if ("lib.corpus.store", "open_test_set") in imports(path)] == [
        "test_set.py"
    ]


def modules_of(command: str) -> set[str]:
    """Return the modules that a command's file imports, directly or through other modules of the command line."""
    found, waiting = (
        set[str](),
        [next(c.run.__module__ for group in GROUPS.values() for c in group if c.name == command)],
    )
    while waiting:
        path = ROOT / f"{waiting.pop().replace('.', '/')}.py"
        new = {module for module, _ in imports(path)} - found if path.exists() else set()
        found |= new
        waiting += [module for module in new if module.startswith("lib.cli.")]
    return found


def test_the_commands_of_the_data_flow_import_the_documented_modules() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| `(lib/[^`]+)\.py` \| `[^`]+` \|$", architecture(), re.M)
    assert len(rows) >= 8
    for command, file in rows:
        assert file.replace("/", ".") in modules_of(command), f"{command} does not import {file}.py"


def test_each_decision_is_dated_and_listed() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert records
    for path in records:
        date = re.match(r"\d{4}-\d\d-\d\d", path.name)
        assert date and f"* Date: {date[0]}" in path.read_text(encoding="utf-8") and path.name in index, path.name
