"""What comes of a search: the final model, an agent's report, all agents side by side."""

from argparse import Namespace

from lib.cli.common import experiment_of, folds_of, inside, provenance_of, say
from lib.files.atomic import write_text
from lib.files.documents import now
from lib.settings.load import read_settings


def final(options: Namespace) -> None:
    """Refit what Stage C chose and judge it once on the test set."""
    from lib.cli.processes import lease_gpu
    from lib.corpus.manifest import CorpusManifest
    from lib.final.card import model_card
    from lib.final.judging import judge, line
    from lib.final.refit import hand_over
    from lib.search.documents import StageC, Yardsticks

    gpu = lease_gpu(read_settings(options.settings))
    experiment = experiment_of(options)
    result = StageC.read(inside(options, "stage_c.json"))
    baselines = Yardsticks.read(inside(options, "baseline.json"))
    model, test = judge(experiment, result, folds_of(options, experiment.settings), baselines)
    generated = CorpusManifest.read(options.results / "corpus" / "corpus.json").generated
    hand_over(model, inside(options, "model"), model_card(model.manifest, test, generated=generated))
    test.write(inside(options, "test.json"))
    say(line(test, experiment.agent))
    if gpu is not None:
        gpu.release()


def report(options: Namespace) -> None:
    """Write an agent's report."""
    from lib.reporting.findings import findings
    from lib.reporting.report import report as write

    experiment = experiment_of(options)
    found = findings(experiment, folds_of(options, experiment.settings))
    write_text(inside(options, "report.html"), write(found))
    say(f"report {options.agent}: {inside(options, 'report.html')}")


def summary(options: Namespace) -> None:
    """Put the agents side by side."""
    from lib.corpus.manifest import CorpusManifest
    from lib.reporting.summary import Summary, entry, html, markdown
    from lib.search.documents import Judgement, StageC

    started, config = now(), read_settings(options.settings)
    agents = [
        entry(
            StageC.read(options.results / agent / "stage_c.json"),
            Judgement.read(options.results / agent / "test.json"),
        )
        for agent in config.config.agents
    ]
    corpus_hash = CorpusManifest.read(options.results / "corpus" / "corpus.json").corpus_hash
    write_text(options.results / "summary.html", html(agents))
    write_text(options.results / "summary.md", markdown(agents))
    Summary(provenance=provenance_of(config, corpus_hash, started), agents=agents).write(
        options.results / "summary.json"
    )
    print(markdown(agents))
