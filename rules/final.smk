"""The baselines, the final model, its evaluation on the test set, and the provenance."""


rule baseline:
    """Score the majority, TF-IDF with logistic regression and an untuned transformer."""
    input:
        corpus="{results}/corpus/corpus.json",
        backbones=backbones,
    output:
        "{results}/{agent}/baseline.json",
    log:
        "{results}/{agent}/logs/baseline.log",
    benchmark:
        "{results}/{agent}/benchmarks/baseline.tsv"
    conda:
        "../envs/environment.yaml"
    threads: THREADS
    resources:
        gpu=gpus_per_job(),
        mem_mb=16000,
        runtime=480,
    params:
        settings=training("tfidf", "baseline"),
    shell:
        "python -m lib baseline {wildcards.agent} --results {wildcards.results} --log {log}"


rule final:
    """Refit the chosen candidate on the development set and score it on the test set, which only this rule opens."""
    input:
        corpus="{results}/corpus/corpus.json",
        backbones=backbones,
        bank=BANK,
        choice="{results}/{agent}/stage_c.json",
        baseline="{results}/{agent}/baseline.json",
        folds=expand(
            "{{results}}/{{agent}}/stage_c/{candidate}-{fold}.json",
            candidate=range(STAGE_C.candidates),
            fold=range(STAGE_C.folds * STAGE_C.repeats),
        ),
    output:
        test="{results}/{agent}/test.json",
        model=directory("{results}/{agent}/model"),
    log:
        "{results}/{agent}/logs/final.log",
    benchmark:
        "{results}/{agent}/benchmarks/final.tsv"
    conda:
        "../envs/environment.yaml"
    threads: THREADS
    resources:
        gpu=gpus_per_job(),
        mem_mb=16000,
        runtime=1440,
    params:
        settings=training("tfidf", "stage_c", "final", "baseline"),
    shell:
        "python -m lib final {wildcards.agent} --results {wildcards.results} --log {log}"


rule provenance:
    """Write everything needed to repeat the chosen trial, with the hashes of the results."""
    input:
        "{results}/{agent}/stage_b_pareto.json",
        "{results}/{agent}/stage_c.json",
        "{results}/{agent}/test.json",
    output:
        "{results}/{agent}/provenance.json",
    log:
        "{results}/{agent}/logs/provenance.log",
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    shell:
        "python -m lib provenance {wildcards.agent} --results {wildcards.results} --log {log}"
