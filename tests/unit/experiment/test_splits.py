import numpy as np


def test_development_and_folds_share_no_post(experiment) -> None:
    posts = np.array(experiment.examples.post_id)
    held_out = []
    for number in range(4):
        fold = experiment.splits.fold(number, 2)
        groups = [set(posts[part]) for part in (fold.train, fold.validation, fold.held_out)]
        assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
        assert sum(map(len, (fold.train, fold.validation, fold.held_out))) == len(posts)
        held_out.append(set(fold.held_out.tolist()))
    assert not held_out[0] & held_out[1] and held_out[0] != held_out[2]
    split = experiment.splits.development(1)
    assert not set(posts[split.train]) & set(posts[split.validation])
