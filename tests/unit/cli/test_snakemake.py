import pytest

from lib.cli.snakemake import targets_first


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--cores 8 --resources gpu=1 t.json", "t.json --cores 8 --resources gpu=1"),
        ("--config a=1 bb=2 t.json -n", "t.json --config a=1 bb=2 -n"),
        ("t.json --cores 8 -n", "t.json --cores 8 -n"),
        ("--resources gpu=1 -- t.json", "--resources gpu=1 -- t.json"),
        ("--default-resources none", "--default-resources none"),
    ],
)
def test_targets_after_key_value_options_are_moved_to_the_front(words: str, expected: str) -> None:
    assert targets_first(words.split()) == expected.split()
