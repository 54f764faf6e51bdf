"""Stage C cross-validates candidates from the front, with one job per candidate and fold."""


rule stage_c_candidates:
    """Choose candidates with nearly the best F1, spread along the front."""
    input:
        pareto="{results}/{agent}/stage_b_pareto.json",
    output:
        "{results}/{agent}/stage_c/candidates.json",
    log:
        "{results}/{agent}/logs/stage_c_candidates.log",
    benchmark:
        "{results}/{agent}/benchmarks/stage_c_candidates.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        candidates=(STAGE_C.candidates, STAGE_C.band),
    shell:
        "python -m lib stage-c-candidates {wildcards.agent} --results {wildcards.results} --log {log}"


rule stage_c_fold:
    """Train one candidate without one fold and score it on that fold."""
    input:
        corpus="{results}/corpus/corpus.json",
        backbones=backbones,
        bank=BANK,
        candidates="{results}/{agent}/stage_c/candidates.json",
        race=race_before,
    output:
        "{results}/{agent}/stage_c/{candidate}-{fold}.json",
    log:
        "{results}/{agent}/logs/stage_c/{candidate}-{fold}.log",
    benchmark:
        "{results}/{agent}/benchmarks/stage_c/{candidate}-{fold}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: THREADS
    resources:
        gpu=gpus_per_job(),
        mem_mb=16000,
        runtime=240,
    params:
        settings=training(),
        folds=(STAGE_C.folds, STAGE_C.racing),
    shell:
        "python -m lib stage-c-fold {wildcards.agent} --candidate {wildcards.candidate} --fold {wildcards.fold}"
        " --results {wildcards.results} --log {log}"


rule stage_c_race:
    """Give up the candidates that are significantly worse than the best one after a repeat."""
    input:
        corpus="{results}/corpus/corpus.json",
        folds=repeat_of_race,
    output:
        "{results}/{agent}/stage_c/race_{repeat}.json",
    log:
        "{results}/{agent}/logs/stage_c/race_{repeat}.log",
    benchmark:
        "{results}/{agent}/benchmarks/stage_c/race_{repeat}.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    shell:
        "python -m lib stage-c-race {wildcards.agent} --repeat {wildcards.repeat} --results {wildcards.results} --log {log}"


rule stage_c_baseline:
    """Score TF-IDF with logistic regression on the same folds."""
    input:
        corpus="{results}/corpus/corpus.json",
    output:
        "{results}/{agent}/stage_c/baseline.json",
    log:
        "{results}/{agent}/logs/stage_c_baseline.log",
    benchmark:
        "{results}/{agent}/benchmarks/stage_c_baseline.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=training("tfidf"),
        folds=(STAGE_C.folds, STAGE_C.repeats),
    shell:
        "python -m lib stage-c-baseline {wildcards.agent} --results {wildcards.results} --log {log}"


rule stage_c:
    """Rank the candidates, test the lead of the best, choose one, and select an ensemble."""
    input:
        candidates="{results}/{agent}/stage_c/candidates.json",
        baseline="{results}/{agent}/stage_c/baseline.json",
        folds=expand(
            "{{results}}/{{agent}}/stage_c/{candidate}-{fold}.json",
            candidate=range(STAGE_C.candidates),
            fold=range(STAGE_C.folds * STAGE_C.repeats),
        ),
    output:
        choice="{results}/{agent}/stage_c.json",
        picture=report(
            "{results}/{agent}/stage_c.svg",
            caption="../workflow/report/stage_c.rst",
            category="{agent}",
        ),
    log:
        "{results}/{agent}/logs/stage_c.log",
    benchmark:
        "{results}/{agent}/benchmarks/stage_c.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        settings=settings_json("stage_c", "objective"),
    shell:
        "python -m lib stage-c {wildcards.agent} --results {wildcards.results} --log {log}"
