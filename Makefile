# Short commands. AGENT and CORES are optional: make stage-a AGENT=criteria CORES=16

AGENT ?= criteria
STAGE ?= a
CORES ?= $(shell nproc 2>/dev/null || echo 2)
PYTHON ?= python3
SNAKEMAKE = . .venv/bin/activate && snakemake --cores $(CORES) --resources gpu=1
SUPERMAX = $(SNAKEMAKE) --configfile config/supermax.yaml
PINS = envs/constraints.txt
# Where bytecode is not kept, each of a run's processes compiles all imports again (9 s).
export PYTHONDONTWRITEBYTECODE =
BENCH = . .venv/bin/activate && PYTHONPATH=.:tests:benchmarks:$$TRAINER python benchmarks

.PHONY: run test test-fast bytecode compatibility test-transformers5 check dag report bench-corpus bench-natural bench-fixed bench-rules bench-typed bench-throughput bench-f1 bench-trial bench-augmentation bench-gpu bench-storage bench-overhead bench-search bench-optimism bench-race test-faults test-slurm all stage-a stage-b stage-c supermax-all mlflow dashboard validate-supermax check-run estimate reproduce archive schema install help

run: .venv/installed  ## run the embedded default up to results/criteria/report.html
	$(SNAKEMAKE) -- results/$(AGENT)/report.html

test: .venv/installed  ## run all tests except the long ones (test-faults, test-slurm), with coverage
	. .venv/bin/activate && pytest -n 3 --dist loadscope --no-loadscope-reorder -m "not long" --durations=15 --cov --cov-report=term-missing

test-fast: .venv/installed  ## run the fast unit tests (90 s on two cores)
	. .venv/bin/activate && pytest -n 2 -m "not slow" tests/unit

compatibility: .venv/installed  ## train every tiny backbone with every optimizer, write docs/compatibility.md
	. .venv/bin/activate && pytest tests/integration/repository/test_compatibility.py --write-docs

test-transformers5: .venv/installed  ## test models and training on transformers 5 (the pins hold 4.57)
	. .venv/bin/activate && uv pip install -q --target .venv/transformers5 'transformers==5.*' "$$(grep ^numpy== $(PINS))"
	. .venv/bin/activate && PYTHONPATH=$(CURDIR)/.venv/transformers5 pytest tests/unit/modeling tests/unit/tasks tests/unit/agents tests/unit/training

check: .venv/installed  ## run the checks of CI and pre-commit, without the tests
	. .venv/bin/activate && ruff format --check . && ruff check . && mypy && snakefmt --check workflow rules && snakemake --lint

bytecode: .venv/installed  ## compile what the tests import, which else takes half a minute of their time
	. .venv/bin/activate && pytest --collect-only -m "not long" > /dev/null

install: .venv/installed  ## install into .venv

.venv/installed: $(PINS) pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON=")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install -q -c $(PINS) torch uv
	. .venv/bin/activate && uv pip install -q -c $(PINS) --group dev -r pyproject.toml
	. .venv/bin/activate && uv pip install -q --no-deps -e .
	touch $@

dag: .venv/installed  ## draw the graph of rules as docs/dag.svg
	@command -v dot >/dev/null || { echo "make dag needs Graphviz: apt-get install graphviz, or brew install graphviz" >&2; exit 1; }
	. .venv/bin/activate && snakemake --quiet all --rulegraph > docs/dag.dot && dot -Tsvg docs/dag.dot -o docs/dag.svg

report: .venv/installed  ## write Snakemake's own report, results/report.html
	. .venv/bin/activate && snakemake --report results/report.html

schema: .venv/installed  ## write the JSON schema of the configuration
	. .venv/bin/activate && python -m lib schema

all: .venv/installed  ## run every agent of the embedded default
	$(SNAKEMAKE) all

stage-a: .venv/installed  ## run Stage A of AGENT with the production configuration
	$(SUPERMAX) -- results/$(AGENT)/stage_a_top50.json

stage-b: .venv/installed  ## run AGENT up to Stage B with the production configuration
	$(SUPERMAX) -- results/$(AGENT)/stage_b_pareto.json

stage-c: .venv/installed  ## run AGENT up to Stage C with the production configuration
	$(SUPERMAX) -- results/$(AGENT)/stage_c.json

supermax-all: .venv/installed  ## run every agent with the production configuration
	$(SUPERMAX) -- all

mlflow: .venv/installed  ## open MLflow on results/mlflow.db
	. .venv/bin/activate && MLFLOW_DISABLE_TELEMETRY=true mlflow ui --backend-store-uri sqlite:///results/mlflow.db

dashboard: .venv/installed  ## open optuna-dashboard on a study of AGENT (STAGE=a or b)
	. .venv/bin/activate && optuna-dashboard results/$(AGENT)/studies/$(AGENT)-stage_$(STAGE).journal

validate-supermax: .venv/installed  ## run the production configuration on a tenth of the posts, ten trials a stage (MORE='--config …')
	$(SUPERMAX) config/validate.yaml $(MORE) -- all

check-run: .venv/installed  ## check data, backbones and machine before a run (CONFIG=config/supermax.yaml for production)
	. .venv/bin/activate && python -m lib check --config config/config.yaml $(if $(CONFIG),--config $(CONFIG))

estimate: .venv/installed  ## estimate the time of AGENT's search on this machine (CONFIG=config/supermax.yaml)
	$(SNAKEMAKE) $(if $(CONFIG),--configfile $(CONFIG)) -- prepared
	. .venv/bin/activate && python -m lib estimate $(AGENT)

reproduce: .venv/installed  ## repeat a chosen trial and compare (PROVENANCE=results/criteria/provenance.json)
	. .venv/bin/activate && python -m lib reproduce $(PROVENANCE)

archive: .venv/installed  ## pack results, configuration, versions and hashes as results.tar.gz, without texts
	. .venv/bin/activate && python -m lib archive

bench-corpus: .venv/installed  ## compare a bag of words with MiniLM on the generated corpus
	$(BENCH)/generated_corpus.py

bench-natural: .venv/installed  ## compare sampling corrections, validation samples and objectives (CORPUS=folder)
	for what in sampling sample scores; do $(BENCH)/natural_prevalence.py $$what results/natural/$$what $(if $(CORPUS),--corpus $(CORPUS)) || exit; done

bench-fixed: .venv/installed  ## train a fixed configuration on a corpus without a search, and test it (CORPUS=folder SEEDS=1)
	$(BENCH)/fixed_configuration.py results/fixed $(CORPUS) $(if $(SEEDS),--seeds $(SEEDS))

bench-rules: .venv/installed  ## compare decision rules on the held-out predictions of Stage C (after make run)
	$(BENCH)/decision_rules.py .

bench-typed: .venv/installed  ## list the typed sentences that the final criteria model gets wrong (after make run)
	$(BENCH)/typed_sentences.py

# The Trainer needs accelerate. transformers would import it in every job, so it is installed apart.
bench-throughput: .venv/installed  ## compare the engine with a plain loop and the Hugging Face Trainer (CORPUS=folder)
	. .venv/bin/activate && uv pip install -q --no-config --no-deps -c $(PINS) --target .venv/benchmarks accelerate
	export TRAINER=$(CURDIR)/.venv/benchmarks && $(BENCH)/throughput.py $(if $(CORPUS),--corpus $(CORPUS))
	export TRAINER=$(CURDIR)/.venv/benchmarks && $(BENCH)/throughput.py $(if $(CORPUS),--corpus $(CORPUS)) --agent evidence

bench-f1: .venv/installed  ## compare the F1 of the engine and of a textbook fp32 loop (five seeds)
	$(BENCH)/throughput.py $(if $(CORPUS),--corpus $(CORPUS)) --pairs 1500 --epochs 3 --runs 5 --f1

bench-augmentation: .venv/installed  ## measure the cost of augmentation in a training (CORPUS=folder)
	$(BENCH)/augmentation_cost.py $(if $(CORPUS),--corpus $(CORPUS))

bench-gpu: .venv/installed  ## measure the engine on a CUDA device with full-size encoders and random weights
	$(BENCH)/gpu.py

bench-trial: .venv/installed  ## measure imports, start and memory of a trial, without its training steps
	$(BENCH)/trial_cost.py $(if $(CORPUS),--corpus $(CORPUS))

bench-storage: .venv/installed  ## measure the share of a trial's time that journal, SQLite and PostgreSQL take
	$(BENCH)/storage.py

bench-overhead: .venv/installed  ## measure the time of Stage A without its trainings
	$(BENCH)/overhead.py

bench-search: .venv/installed  ## compare Stages A and B with other searches, by F1 against training tokens (CORPUS=folder trains new tables)
	$(BENCH)/search/comparison.py $(if $(CORPUS),--corpus $(CORPUS)) $(if $(REPETITIONS),--repetitions $(REPETITIONS)) --picture docs/search.svg

bench-optimism: .venv/installed  ## compare the bias-corrected score with the test score (CORPUS=folder)
	$(BENCH)/search/winners_optimism.py $(CORPUS)

# AUTOGLUON is the Python of an environment with autogluon.multimodal. Each of the nine runs takes 20 minutes.
bench-race: .venv/installed  ## race the pipeline against the Trainer's search and AutoGluon (CORPUS=folder AUTOGLUON=python)
	. .venv/bin/activate && uv pip install -q --no-config --no-deps -c $(PINS) --target .venv/benchmarks accelerate
	export TRAINER=$(CURDIR)/.venv/benchmarks && $(BENCH)/race/comparison.py $(if $(CORPUS),--corpus $(CORPUS)) $(if $(AUTOGLUON),--autogluon $(AUTOGLUON))

test-faults: .venv/installed  ## run the fault tests and print a table of their results
	. .venv/bin/activate && pytest tests/integration/platforms/test_faults.py

test-slurm: .venv/installed  ## run the graph on a real SLURM (SLURM_ONE_NODE=program that starts one)
	. .venv/bin/activate && pytest -rs tests/integration/platforms/test_slurm.py

help:  ## print this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 22
