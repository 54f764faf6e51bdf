"""Stage A searches the whole space with TPE and ASHA."""


rule stage_a_worker:
    """Run trials of the study in results/{agent}/studies until the budget is spent."""
    input:
        corpus="{results}/corpus/corpus.json",
        tfidf="{results}/{agent}/tfidf/manifest.json",
        backbones=backbones,
        bank=BANK,
        earlier=lambda wildcards: expand(
            "{results}/{agent}/stage_a_top50.json",
            results=wildcards.results,
            agent=SETTINGS.config.earlier_agents(wildcards.agent),
        ),
    output:
        "{results}/{agent}/stage_a/worker-{worker}.json",
    log:
        "{results}/{agent}/logs/stage_a/worker-{worker}.log",
    benchmark:
        "{results}/{agent}/benchmarks/stage_a/worker-{worker}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: THREADS * SETTINGS.config.trials_per_gpu
    resources:
        gpu=gpus_per_job(),
        mem_mb=16000 * SETTINGS.config.trials_per_gpu,
        runtime=10080,
    params:
        settings=training("stage_a", "recipes"),
    shell:
        "python -m lib stage-a-worker {wildcards.agent} --output {output} --results {wildcards.results} --log {log}"


rule stage_a:
    """Keep the fifty best configurations."""
    input:
        workers=expand(
            "{{results}}/{{agent}}/stage_a/worker-{worker}.json",
            worker=range(SETTINGS.config.workers),
        ),
    output:
        top="{results}/{agent}/stage_a_top50.json",
        picture=report(
            "{results}/{agent}/stage_a.svg",
            caption="../workflow/report/stage_a.rst",
            category="{agent}",
        ),
    log:
        "{results}/{agent}/logs/stage_a.log",
    benchmark:
        "{results}/{agent}/benchmarks/stage_a.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=training("stage_a"),
    shell:
        "python -m lib stage-a {wildcards.agent} --results {wildcards.results} --log {log}"
