"""The examples of the agents that read whole posts."""

from dataclasses import replace

from support.planted import corpus

from lib.agents import get_agent


def test_pairs_are_annotated_or_sampled_and_lost_evidence_is_left_out() -> None:
    development = corpus(30)
    rows = development.annotations.copy()
    rows = rows[~((rows["post_id"] == "p0003") & (rows["criterion"] == "FRUIT"))]
    met = rows.query("status == 1").iloc[0]
    rows.loc[(rows["post_id"] == met["post_id"]) & (rows["criterion"] == met["criterion"]), ["start", "end"]] = -1
    changed = replace(development, annotations=rows)
    agent = get_agent("evidence")
    plain = agent.examples(changed, unannotated=0.0, seed=0)
    assert len(plain) == 60 - 1 - 1
    assert f"{met['post_id']} {met['criterion']}" not in plain.ids and "p0003 FRUIT" not in plain.ids
    drawn = agent.examples(changed, unannotated=0.5, seed=0)
    assert len(drawn) == len(plain) + 1
    place = drawn.ids.index("p0003 FRUIT")
    assert drawn.label[place] == 0 and drawn.answers[place] == []
    for text, spans, label in zip(drawn.second, drawn.answers, drawn.label, strict=True):
        assert bool(spans) == bool(label)
        assert all(text[slice(*span)] in {"there was an apple .", "there was a storm ."} for span in spans)
