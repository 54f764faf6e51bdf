"""The corpus, which is generated if none is configured, then checked, split and described."""


rule generate_corpus:
    """Write a generated corpus in ReDSM5's format."""
    output:
        "results/generated/posts.csv",
        "results/generated/annotations.csv",
        "results/generated/criteria.json",
    log:
        "results/logs/generate_corpus.log",
    benchmark:
        "results/benchmarks/generate_corpus.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_json("generator"),
    shell:
        "python -m lib generate-corpus --output results/generated --log {log}"


rule corpus:
    """Check every row, find the sentences in their posts, split by author or near-duplicate, write the report."""
    input:
        posts=corpus_files()[0],
        annotations=corpus_files()[1],
    output:
        manifest="{results}/corpus/corpus.json",
        posts="{results}/corpus/posts.parquet",
        annotations="{results}/corpus/annotations.parquet",
        unknown="{results}/corpus/unknown.parquet",
        splits="{results}/corpus/splits.parquet",
        report="{results}/corpus/report.md",
        picture=report(
            "{results}/corpus/report.svg",
            caption="../workflow/report/corpus.rst",
            category="Corpus",
        ),
    log:
        "{results}/logs/corpus.log",
    benchmark:
        "{results}/benchmarks/corpus.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        settings=settings_json("seed", "corpus"),
        folder=lambda wildcards: SETTINGS.config.corpus.dir or "results/generated",
        fold=outer_fold,
        of=lambda wildcards: len(OUTER_FOLDS) if outer_fold(wildcards) else 0,
    shell:
        "python -m lib corpus --input {params.folder:q} {params.fold} --results {wildcards.results} --log {log}"
