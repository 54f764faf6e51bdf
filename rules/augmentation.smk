"""Lexical data and the bank of augmented texts, prepared before training."""

# The bank, which is an input of every training if a search may augment.
BANK = "{results}/{agent}/augmentation/bank.json" if SETTINGS.space.augments else []


rule lexicon:
    """Copy WordNet, stop words and a tagger from a folder, the network or packages."""
    output:
        "{results}/lexicon/lexicon.json",
    log:
        "{results}/logs/lexicon.log",
    benchmark:
        "{results}/benchmarks/lexicon.tsv"
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        lexicon=SETTINGS.config.augmentation.lexicon,
    shell:
        "python -m lib lexicon --results {wildcards.results} --log {log}"


rule augmentation_bank:
    """Run every method of the space on every development text, at every strength."""
    input:
        corpus="{results}/corpus/corpus.json",
        tfidf="{results}/{agent}/tfidf/manifest.json",
        lexicon="{results}/lexicon/lexicon.json",
    output:
        "{results}/{agent}/augmentation/bank.json",
    log:
        "{results}/{agent}/logs/augmentation_bank.log",
    benchmark:
        "{results}/{agent}/benchmarks/augmentation_bank.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 16
    resources:
        mem_mb=lambda wildcards, threads: 2500 * threads,
        runtime=720,
    params:
        settings=settings_json("augmentation", "words", "tfidf", "seed"),
        splits=(
            SETTINGS.config.training.validation_fraction,
            max(SETTINGS.config.stage_a.seeds, SETTINGS.config.stage_b.seeds),
            (SETTINGS.config.stage_c.folds, SETTINGS.config.stage_c.repeats),
            SETTINGS.config.final.seeds,
        ),
        asked=(SETTINGS.space.augmentation_strategies, SETTINGS.space.strengths),
    shell:
        "python -m lib augmentation-bank {wildcards.agent} --processes {threads}"
        " --results {wildcards.results} --log {log}"


rule augmentation_report:
    """Write a table and a picture of each method's effect in Stage A."""
    input:
        top="{results}/{agent}/stage_a_top50.json",
        bank=BANK,
    output:
        page="{results}/{agent}/augmentation.md",
        picture=report(
            "{results}/{agent}/augmentation.svg",
            caption="../workflow/report/augmentation.rst",
            category="{agent}",
        ),
    log:
        "{results}/{agent}/logs/augmentation_report.log",
    benchmark:
        "{results}/{agent}/benchmarks/augmentation_report.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    shell:
        "python -m lib augmentation-report {wildcards.agent} --results {wildcards.results} --log {log}"
