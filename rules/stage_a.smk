"""Stage A: TPE + ASHA over the whole space."""


rule stage_a:
    """Search the whole space; keep the fifty best configurations. Continues the study in results/{agent}/studies."""
    input:
        corpus="results/corpus/corpus.json",
        tfidf="results/{agent}/tfidf/manifest.json",
        backbones=BACKBONES,
        bank=BANK,
    output:
        top="results/{agent}/stage_a_top50.json",
        picture=report(
            "results/{agent}/stage_a.svg",
            caption="../workflow/report/stage_a.rst",
            category="{agent}",
        ),
    log:
        "results/{agent}/logs/stage_a.log",
    benchmark:
        "results/{agent}/benchmarks/stage_a.tsv"
    conda:
        "../envs/environment.yaml"
    threads: THREADS
    resources:
        gpu=gpus(),
        mem_mb=16000,
        runtime=10080,
    params:
        settings=training("stage_a"),
    shell:
        "python -m lib stage-a {wildcards.agent} --log {log}"
