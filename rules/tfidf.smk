"""TF-IDF statistics of development text."""


rule tfidf:
    """Fit on development text only, or reuse an earlier fit on the same text."""
    input:
        corpus="{results}/corpus/corpus.json",
    output:
        manifest="{results}/{agent}/tfidf/manifest.json",
        model="{results}/{agent}/tfidf/tfidf.joblib",
        idf="{results}/{agent}/tfidf/tfidfaug_w2idf.txt",
        tfidf="{results}/{agent}/tfidf/tfidfaug_w2tfidf.txt",
    log:
        "{results}/{agent}/logs/tfidf.log",
    benchmark:
        "{results}/{agent}/benchmarks/tfidf.tsv"
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        settings=settings_json("tfidf"),
    shell:
        "python -m lib tfidf {wildcards.agent} --results {wildcards.results} --log {log}"
