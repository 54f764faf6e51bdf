"""A report for each agent, a summary of all agents, and MLflow."""


rule nested:
    """Compare the searches of the outer folds, each scored on posts that no part of it saw."""
    input:
        stage_c="results/{agent}/stage_c.json",
        test="results/{agent}/test.json",
        searches=expand("results/outer-{fold}/{{agent}}/stage_c.json", fold=OUTER_FOLDS),
        tests=expand("results/outer-{fold}/{{agent}}/test.json", fold=OUTER_FOLDS),
    output:
        document="results/{agent}/nested.json",
        picture=report(
            "results/{agent}/nested.svg",
            caption="../workflow/report/nested.rst",
            category="{agent}",
        ),
    log:
        "results/{agent}/logs/nested.log",
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        folds=len(OUTER_FOLDS),
    shell:
        "python -m lib nested {wildcards.agent} --log {log}"


rule agent_report:
    """Write an agent's report as one HTML file."""
    input:
        "results/corpus/corpus.json",
        "results/{agent}/stage_a_top50.json",
        "results/{agent}/stage_b_pareto.json",
        "results/{agent}/stage_c.json",
        "results/{agent}/baseline.json",
        "results/{agent}/test.json",
        nested="results/{agent}/nested.json" if OUTER_FOLDS else [],
    output:
        report(
            "results/{agent}/report.html",
            caption="../workflow/report/agent.rst",
            category="{agent}",
        ),
    log:
        "results/{agent}/logs/report.log",
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=settings_json("costs"),
    shell:
        "python -m lib report {wildcards.agent} --log {log}"


rule tracking:
    """Upload new results to MLflow. If its server cannot be reached, 'python -m lib sync' uploads them later."""
    input:
        "results/{agent}/report.html",
        "results/{agent}/model",
    output:
        "results/{agent}/tracking.json",
    log:
        "results/{agent}/logs/tracking.log",
    localrule: True
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings_json("tracking"),
    shell:
        "python -m lib sync --agent {wildcards.agent} --tolerant --output {output} --log {log}"


rule summary:
    """Compare all agents on one page."""
    input:
        expand("results/{agent}/stage_c.json", agent=SETTINGS.config.agents),
        expand("results/{agent}/test.json", agent=SETTINGS.config.agents),
    output:
        page=report(
            "results/summary.html",
            caption="../workflow/report/summary.rst",
            category="summary",
        ),
        table="results/summary.md",
        document="results/summary.json",
    log:
        "results/logs/summary.log",
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    shell:
        "python -m lib summary --log {log}"
