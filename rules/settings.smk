"""The checked and merged configuration as one file."""


rule settings:
    """Write the checked and merged configuration; every command reads this one file."""
    output:
        "results/settings.json",
    log:
        "results/logs/settings.log",
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        config=json.dumps(config, sort_keys=True),
        files=part("backbones", "space"),
    shell:
        "python -m lib settings --json {params.config:q} --output {output} --log {log}"
