"""Stage B: NSGA-II, F1-macro against calibration."""


rule stage_b:
    """Search for the Pareto front, seeded with the best of Stage A."""
    input:
        corpus="results/corpus/corpus.json",
        backbones=BACKBONES,
        bank=BANK,
        top="results/{agent}/stage_a_top50.json",
    output:
        pareto="results/{agent}/stage_b_pareto.json",
        picture=report(
            "results/{agent}/stage_b.svg",
            caption="../workflow/report/stage_b.rst",
            category="{agent}",
        ),
    log:
        "results/{agent}/logs/stage_b.log",
    benchmark:
        "results/{agent}/benchmarks/stage_b.tsv"
    conda:
        "../envs/environment.yaml"
    threads: THREADS
    resources:
        gpu=gpus(),
        mem_mb=16000,
        runtime=10080,
    params:
        settings=training("stage_b"),
    shell:
        "python -m lib stage-b {wildcards.agent} --log {log}"
