"""Backbones as files. A local rule fetches them, because compute jobs run offline."""


rule backbone:
    """Copy weights and tokenizer from the hub, a folder or a package, or build tiny ones."""
    input:
        backbone_corpus,
    output:
        "{results}/backbones/{backbone}/backbone.json",
    log:
        "{results}/logs/backbone-{backbone}.log",
    benchmark:
        "{results}/benchmarks/backbone-{backbone}.tsv"
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        source=lambda wildcards: SETTINGS.backbones[
            wildcards.backbone
        ].model_dump_json(),
    shell:
        "python -m lib backbone {wildcards.backbone} --results {wildcards.results} --log {log}"
