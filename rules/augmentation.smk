"""Augmentation: lexical data, and what each method does to each text, ahead of training."""

from lib.augmentation.methods import METHODS, of_strategy


def augmentation_methods():
    """The methods that the search space may ask for."""
    if not SETTINGS.space.augments:
        return []
    return sorted({name for s in SETTINGS.space.strategies for name in of_strategy(s)})


# Inputs of every training; none where nothing is augmented.
BANK = [
    f"results/{{agent}}/augmentation/{name}.json" for name in augmentation_methods()
]


rule lexicon:
    """Bring WordNet, stop words and a tagger from a folder, the network, or packages."""
    output:
        "results/lexicon/lexicon.json",
    log:
        "results/logs/lexicon.log",
    benchmark:
        "results/benchmarks/lexicon.tsv"
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        lexicon=SETTINGS.config.augmentation.lexicon,
    shell:
        "python -m lib lexicon --log {log}"


rule augmentation_bank:
    """Run one method on every development text, at every strength."""
    input:
        corpus="results/corpus/corpus.json",
        tfidf="results/{agent}/tfidf/manifest.json",
        lexicon="results/lexicon/lexicon.json",
    output:
        "results/{agent}/augmentation/{method}.json",
    log:
        "results/{agent}/logs/augmentation/{method}.log",
    benchmark:
        "results/{agent}/benchmarks/augmentation/{method}.tsv"
    wildcard_constraints:
        method="|".join(METHODS),
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        settings=part("augmentation", "words"),
        strengths=SETTINGS.space.strengths,
    shell:
        "python -m lib augmentation-bank {wildcards.agent} --method {wildcards.method} --processes {threads}"
        " --log {log}"


rule augmentation_report:
    """A table and a picture of each method's effect in Stage A."""
    input:
        top="results/{agent}/stage_a_top50.json",
        bank=BANK,
    output:
        page="results/{agent}/augmentation.md",
        picture=report(
            "results/{agent}/augmentation.svg",
            caption="../workflow/report/augmentation.rst",
            category="{agent}",
        ),
    log:
        "results/{agent}/logs/augmentation_report.log",
    benchmark:
        "results/{agent}/benchmarks/augmentation_report.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    shell:
        "python -m lib augmentation-report {wildcards.agent} --log {log}"
