import numpy as np
import pytest


def test_development_and_folds_share_no_post(experiment) -> None:
    posts = np.array(experiment.examples.post_id)
    held_out = []
    for number in range(4):
        fold = experiment.splits.fold(number, 2)
        assert not set(posts[fold.train]) & set(posts[fold.held_out.index])
        assert len(fold.train) + len(fold.held_out) == len(posts) and not len(fold.validation)
        held_out.append(set(fold.held_out.index.tolist()))
    assert not held_out[0] & held_out[1] and held_out[0] != held_out[2]
    split = experiment.splits.development(1)
    assert not set(posts[split.train]) & set(posts[split.validation.index])


def test_validation_holds_all_annotated_pairs_and_a_weighted_sample_of_the_others(experiment) -> None:
    examples, split = experiment.examples, experiment.splits.development_with_posts(0)
    part = experiment.splits._posts.development_parts(0)
    assert split.held_out.index.tolist() == [i for i, post in enumerate(examples.post_id) if part[post] == 1]
    whole, sample = split.held_out.index, split.validation
    known, certain = (examples.annotated[index] | (examples.label[index] == 1) for index in (sample.index, whole))
    assert set(sample.index[known]) == set(whole[certain])
    assert (sample.weight[known] == 1).all() and (sample.weight[~known] >= 1).all()
    assert sample.weight.sum() == pytest.approx(len(whole), rel=0.2) and len(sample) < len(whole)
    wanted = experiment.settings.config.training.evaluated_unannotated * examples.annotated[split.train].sum()
    assert abs((~known).sum() - wanted) <= 1


def test_a_process_makes_a_development_split_once(experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = [experiment.splits.development(number) for number in range(2)]
    monkeypatch.setattr("lib.experiment.splits.weighted_validation_sample", lambda *_: pytest.fail("drawn again"))
    assert [experiment.splits.development(number) for number in range(2)] == splits
    assert splits[0].train.tolist() != splits[1].train.tolist()
