"""Stage B searches with multi-objective TPE for high F1-macro and low calibration error."""


rule stage_b_worker:
    """Run trials of the study, starting with the best of Stage A, until the budget is spent."""
    input:
        corpus="{results}/corpus/corpus.json",
        backbones=backbones,
        bank=BANK,
        top="{results}/{agent}/stage_a_top50.json",
    output:
        "{results}/{agent}/stage_b/worker-{worker}.json",
    log:
        "{results}/{agent}/logs/stage_b/worker-{worker}.log",
    benchmark:
        "{results}/{agent}/benchmarks/stage_b/worker-{worker}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: THREADS * SETTINGS.config.trials_per_gpu
    resources:
        gpu=gpus_per_job(),
        mem_mb=16000 * SETTINGS.config.trials_per_gpu,
        runtime=10080,
    params:
        settings=training("stage_b"),
    shell:
        "python -m lib stage-b-worker {wildcards.agent} --output {output} --results {wildcards.results} --log {log}"


rule stage_b:
    """Rank all configurations by non-domination. The first rank is the Pareto front."""
    input:
        top="{results}/{agent}/stage_a_top50.json",
        workers=expand(
            "{{results}}/{{agent}}/stage_b/worker-{worker}.json",
            worker=range(SETTINGS.config.workers),
        ),
    output:
        pareto="{results}/{agent}/stage_b_pareto.json",
        picture=report(
            "{results}/{agent}/stage_b.svg",
            caption="../workflow/report/stage_b.rst",
            category="{agent}",
        ),
    log:
        "{results}/{agent}/logs/stage_b.log",
    benchmark:
        "{results}/{agent}/benchmarks/stage_b.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=training("stage_b"),
    shell:
        "python -m lib stage-b {wildcards.agent} --results {wildcards.results} --log {log}"
