"""The examples of the agents that read whole posts."""

from dataclasses import replace

from support.planted import corpus

from lib.agents import get_agent


def test_all_pairs_are_examples_and_lost_evidence_is_left_out() -> None:
    development = corpus(30)
    rows = development.annotations.copy()
    rows = rows[~((rows["post_id"] == "p0003") & (rows["criterion"] == "FRUIT"))]
    met = rows.query("status == 1").iloc[0]
    rows.loc[(rows["post_id"] == met["post_id"]) & (rows["criterion"] == met["criterion"]), ["start", "end"]] = -1
    changed = replace(development, annotations=rows)
    agent = get_agent("evidence")
    plain = agent.examples(changed)
    assert len(plain) == 60 - 1 - 1 and plain.annotated.all()
    assert f"{met['post_id']} {met['criterion']}" not in plain.ids and "p0003 FRUIT" not in plain.ids
    natural = agent.examples(replace(changed, unannotated_are_negative=True))
    assert len(natural) == len(plain) + 1
    place = natural.ids.index("p0003 FRUIT")
    assert natural.label[place] == 0 and natural.gold_spans[place] == [] and not natural.annotated[place]
    assert natural.natural.all() and not plain.natural.any()
    for text, spans, label in zip(natural.text, natural.gold_spans, natural.label, strict=True):
        assert bool(spans) == bool(label)
        assert all(text[slice(*span)] in {"there was an apple .", "there was a storm ."} for span in spans)
