from lib.files.hashing import derive_seed, hash_value


def test_hashes_do_not_depend_on_order_and_seeds_on_every_part() -> None:
    assert hash_value({"a": 1, "b": 2}) == hash_value({"b": 2, "a": 1})
    assert derive_seed(1, "a", 2) != derive_seed(1, "a", 3)
