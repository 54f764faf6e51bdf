"""The typed models of config/*.yaml, with the meaning and the limits of every key."""

import re
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from lib.pydantic_base import StrictSchema
from lib.settings.hyperparameters import NullPolicy
from lib.settings.space import Constraint, Value

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
Tolerable = Literal["contradiction", "unknown_post", "unknown_criterion", "empty_text"]
# A model of the hub, with or without its owner.
HUB_ID = r"[^/\s]+(/[^/\s]+)?"
Architecture = Literal[
    "bert", "roberta", "deberta-v2", "electra", "albert", "distilbert", "convbert", "xlnet", "modernbert"
]


class Columns(StrictSchema):
    """Names of the columns in posts.csv and annotations.csv."""

    post_id: str = "post_id"
    text: str = "text"
    sentence_id: str = "sentence_id"
    sentence_text: str = "sentence_text"
    criterion: str = "DSM5_symptom"
    status: str = "status"


class CorpusFiles(StrictSchema):
    """Names of the files in the corpus folder. Without them, those of ReDSM5 and the short names are looked for."""

    posts: str
    annotations: str


class GroupSettings(StrictSchema):
    """Where to find the author of a post: in a column of the posts, or in the post id."""

    column: str | None = Field(default=None, description="column with the author")
    pattern: str | None = Field(
        default=None, description="regular expression whose only group matches the author within a post id"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.column is None) == (self.pattern is None):
            raise ValueError("give either 'column' or 'pattern'")
        if self.pattern is not None:
            try:
                groups = re.compile(self.pattern).groups
            except re.error as error:
                raise ValueError(f"pattern: is not a valid regular expression ({error})") from None
            if groups != 1:
                raise ValueError(f"pattern: must have one group in parentheses, the author, not {groups}")
        return self


class CorpusSettings(StrictSchema):
    """Which corpus to read, and how to split it."""

    dir: str | None = Field(
        default=None, description="folder with posts.csv and annotations.csv; null generates a corpus"
    )
    criteria: str | None = Field(
        default=None,
        description="criteria file; null takes criteria.json of the corpus folder, or else config/criteria.json",
    )
    files: CorpusFiles | None = Field(
        default=None,
        description="names of the files; null finds posts.csv or redsm5_posts.csv, and annotations.csv or"
        " redsm5_annotations.csv",
    )
    columns: Columns = Columns()
    group: GroupSettings | None = Field(
        default=None,
        description="where to find the author of a post; splits keep an author's posts together. null counts each"
        " post as a different author's",
    )
    near_duplicates: float = Field(
        default=0.8,
        gt=0.0,
        le=1.0,
        description="least similarity of posts that splits keep together (Jaccard similarity of their three-word"
        " sequences)",
    )
    least_match: float = Field(
        default=0.85,
        gt=0.0,
        le=1.0,
        description="least similarity of an edited sentence that fuzzy search finds in its post; 1 finds none",
    )
    tolerate: tuple[Tolerable, ...] = Field(
        default=(),
        description="problems that are counted in the report instead of stopping the run; their rows are dropped, but"
        " of rows that contradict each other the majority counts, and without one the pair is unknown",
    )
    share: float = Field(default=1.0, gt=0.0, le=1.0, description="share of the posts to read, for a first try")
    test_fraction: Fraction = Field(default=0.15, description="share of the groups of posts in the test set")
    test_seed: int = Field(
        default=0, description="seed of the test set, which stays the same when `seed` replicates a search"
    )
    unannotated_means: Literal["negative", "unknown"] = Field(
        default="negative",
        description="whether a (text, criterion) pair without a row is negative, or unknown because the annotators"
        " did not read everything; figures at natural prevalence need 'negative'",
    )
    unannotated: float = Field(
        default=5.0,
        ge=0.0,
        description="number of unannotated pairs per annotated pair in an epoch of the default transformer; the"
        " search tries others (data.unannotated)",
    )
    excluded_criteria: tuple[Name, ...] = Field(
        default=(), description="criteria that are learned and predicted, but left out of the scores"
    )

    @property
    def knows_authors(self) -> bool:
        """Whether it is known which posts are of one author."""
        return self.group is not None


class GeneratorSettings(StrictSchema):
    """The generated corpus, which is used if corpus.dir is null."""

    posts: int = Field(default=1484, ge=20)
    words: int = Field(default=295, ge=20, description="mean words in a post; the longest post has 24 times as many")
    seed: int = 5


class TfidfSettings(StrictSchema):
    """The TF-IDF features of the cache and the baseline."""

    max_features: Count = 40_000
    ngram_range: tuple[Count, Count] = (1, 2)
    min_df: Count = 1

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ngram_range[0] > self.ngram_range[1]:
            raise ValueError("ngram_range: the first number must not be above the second")
        return self


class AugmentationSettings(StrictSchema):
    """The bank of augmented texts, which is made if a search may augment (aug.enabled)."""

    words: str = Field(
        default="config/augmentation.yaml",
        description="file of reserved terms, key terms of criteria and equivalent phrases",
    )
    variants: Count = Field(default=2, description="number of variants of each text, method and strength")
    lexicon: str | None = Field(
        default=None,
        description="folder of NLTK data; null tries NLTK_DATA, NLTK's downloader and installed packages",
    )
    ner: str | None = Field(
        default=None, description="file of a flair tagger for names and places; null leaves these unchanged"
    )


class AugmentationWords(StrictSchema):
    """The words and phrases of config/augmentation.yaml."""

    reserved: tuple[str, ...] = Field(description="terms that augmentation never alters")
    criteria: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="key terms of each criterion, which are reserved as well"
    )
    equivalents: tuple[tuple[str, ...], ...] = Field(
        min_length=1, description="groups of phrases that may replace each other (method 'reserved')"
    )


class OptimizerSettings(StrictSchema):
    """An entry of config/optimizers.yaml: factors on the rate and the decay, which are given on AdamW's scale."""

    rate: float = Field(gt=0)
    decay: float = Field(ge=0)
    source: str = Field(description="where the factors come from")


class Recipe(StrictSchema):
    """An entry of config/recipes.yaml: hyper-parameters from the literature, named as in the search space."""

    source: str = Field(description="where they come from")
    params: dict[str, Value] = Field(min_length=1)


class ObjectiveSettings(StrictSchema):
    """What the search maximises and minimises; docs/metrics.md defines the scores and populations."""

    metric: Literal["f1_macro", "f1_micro", "f1_yes_no", "average_precision"] = "f1_macro"
    population: Literal["natural", "annotated"] = Field(
        default="natural", description="natural prevalence, i.e. all pairs of the posts, or the annotated pairs alone"
    )
    calibration: Literal["brier_skill", "ece_of_yes", "classwise_ece", "ece"] = Field(
        default="brier_skill",
        description="calibration error that Stages B and C minimise; for brier_skill, 1 − skill",
    )


class DecisionSettings(StrictSchema):
    """How a prediction becomes yes or no."""

    null_policies: tuple[NullPolicy, ...] = Field(
        default=get_args(NullPolicy),
        min_length=1,
        description="null policies that are fitted after each epoch, of which the best one is kept; docs/agents.md"
        " explains them",
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.null_policies)) < len(self.null_policies):
            raise ValueError("null_policies: a policy is listed twice")
        return self


class TrainingSettings(StrictSchema):
    """The settings of every training, which its hyper-parameters do not change."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto", description="auto is bf16 on devices that compute it natively, else fp32"
    )
    compile: bool = Field(
        default=False,
        description="whether to compile models with torch.compile, for batches of any length; CUDA devices only",
    )
    threads: Count = Field(default=2, description="number of CPU threads of a training process")
    epochs: Count = Field(
        default=20, description="length of the learning-rate schedule, and most epochs of a training in every stage"
    )
    patience: Count = Field(
        default=3,
        description="epochs after the warm-up without a better objective before a training stops; twice as many while"
        " it gives every example the same answer",
    )
    evaluated_unannotated: float = Field(
        default=3.0,
        gt=0.0,
        description="number of unannotated validation pairs that are scored after each epoch, per annotated pair that"
        " is trained on; they are weighted to stand for all",
    )
    validation_fraction: Fraction = Field(
        default=0.2, description="share of the development posts in the validation split (Stages A and B)"
    )


class _SearchBudget(StrictSchema):
    """The budget of Stage A or B."""

    trials: Count
    hours: float | None = Field(
        default=None,
        gt=0,
        description="hours in which a process works on a trial, after which no trial begins; null sets no limit",
    )
    gpu_hours: float | None = Field(
        default=None, gt=0, description="GPU hours of all trials after which no trial begins; null sets no limit"
    )
    seeds: Count


class StageASettings(_SearchBudget):
    """Stage A, which searches the whole space with TPE and ASHA."""

    startup_trials: Count = Field(
        default=10, description="number of trials spread evenly over the space before the sampler begins"
    )
    sampler: Literal["tpe", "gp"] = Field(default="tpe", description="gp is a Gaussian process, for small spaces")
    min_epochs: Count | None = Field(
        default=None,
        description="ASHA's first rung in epochs; null is half of training.epochs; the last rungs are the ends of the"
        " seeds",
    )
    reduction: int = Field(
        default=2,
        ge=2,
        description="reduction factor of ASHA, the inverse of the share of trials that continue at each rung",
    )
    warm_start: int = Field(
        default=0,
        ge=0,
        description="number of best configurations of each agent listed before this one that are tried early; its"
        " Stage A then waits for theirs",
    )

    def first_rung(self, epochs: int) -> int:
        """Return the epoch of the first rung of trainings with this many epochs."""
        return self.min_epochs or (epochs + 1) // 2


class StageBSettings(_SearchBudget):
    """Stage B, which searches for high F1-macro and low calibration error."""

    population_size: int = Field(
        default=50,
        ge=2,
        description="trials of a generation of NSGA-II; random trials of TPE if none of Stage A come first",
    )
    warm_start: int = Field(
        default=20, ge=0, description="number of best completed configurations of Stage A that are tried first"
    )
    sampler: Literal["tpe", "nsga2"] = Field(default="tpe", description="multi-objective TPE, or NSGA-II")
    racing: bool = Field(
        default=True,
        description="whether to stop a trial once a completed one dominates it by more than its further seeds"
        " are likely to change",
    )


class StageCSettings(StrictSchema):
    """Stage C, a repeated k-fold cross-validation of candidates from the Pareto front."""

    candidates: Count
    folds: int = Field(ge=2)
    repeats: Count
    band: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="share of the best objective of Stage B by which that of a candidate may be lower",
    )
    racing: bool = Field(
        default=True,
        description="whether a candidate that is significantly worse than the best one after a repeat is trained no"
        " further",
    )
    ensemble: Count = Field(
        default=5, description="most candidates of the ensemble that is scored as well; 1 averages nothing"
    )


class FinalSettings(StrictSchema):
    """The final model, trained on the whole development set."""

    deliver: Literal["single", "ensemble"] = Field(
        default="single", description="whether the chosen candidate or the ensemble becomes results/{agent}/model"
    )

    seeds: Count = Field(
        default=1,
        description="number of trainings of each candidate with different seeds; their probabilities are averaged",
    )


class BaselineSettings(StrictSchema):
    """The baseline transformer, which has the Hugging Face Trainer's defaults (lib/settings/default_params.py)."""

    backbone: str | None = Field(default=None, description="backbone to train; null takes the first of the space")
    epochs: Count = 3
    seeds: Count = 3


class CostSettings(StrictSchema):
    """Rates for the costs in the report and the estimate."""

    gpu_watts: float = Field(default=350.0, ge=0, description="power of a GPU that trains")
    machine_watts: float = Field(default=100.0, ge=0, description="power of the rest of the machine, for each job")
    per_kwh: float = Field(default=0.30, ge=0, description="price of a kWh")
    per_gpu_hour: float = Field(default=0.0, ge=0, description="price of an hour of a rented GPU")
    currency: str = "EUR"


class TrackingSettings(StrictSchema):
    """Tracking with MLflow."""

    uri: str | None = Field(
        default="sqlite:///results/mlflow.db", description="tracking server or database; null tracks nothing"
    )


class WatchSettings(StrictSchema):
    """The limits beyond which `watch` warns."""

    gpu_percent: float = Field(default=90.0, ge=0, le=100, description="least utilisation of a GPU while jobs run")
    failure_percent: float = Field(default=5.0, ge=0, le=100, description="highest percentage of failed trials")
    disk_gb: float = Field(default=10.0, ge=0, description="least free disk space")
    memory_gb: float = Field(default=20.0, gt=0, description="most memory that the jobs may use together")
    seconds: float = Field(default=30.0, gt=0, description="seconds between two measurements")


class Config(StrictSchema):
    """The whole configuration."""

    seed: int
    agents: tuple[Name, ...] = Field(min_length=1)
    backbones: str = Field(description="file that declares the backbones")
    search_space: str = Field(description="file that declares the search space")
    optimizers: str = Field(
        default="config/optimizers.yaml",
        description="file of each optimizer's factors on optim.lr and optim.weight_decay",
    )
    recipes: str | None = Field(
        default="config/recipes.yaml",
        description="file of hyper-parameters from the literature that Stage A tries early; null tries none",
    )
    constraints: dict[str, Constraint] = Field(
        default={}, description="narrower ranges for parameters of the search space"
    )
    storage: str | None = Field(
        default=None,
        description="Optuna URL, or grpc://host:port of a storage proxy; null uses journals in"
        " results/{agent}/studies",
    )
    workers: Count = Field(default=1, description="number of jobs that share a study of Stage A or B")
    trials_per_gpu: Count = Field(default=1, description="number of processes of such a job, which share its GPU")
    trial_minutes: float | None = Field(
        default=None, gt=0, description="a trial that takes longer is recorded as failed; null sets no limit"
    )
    corpus: CorpusSettings = CorpusSettings()
    generator: GeneratorSettings = GeneratorSettings()
    tfidf: TfidfSettings = TfidfSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    decision: DecisionSettings = DecisionSettings()
    training: TrainingSettings = TrainingSettings()
    stage_a: StageASettings
    stage_b: StageBSettings
    stage_c: StageCSettings
    final: FinalSettings = FinalSettings()
    baseline: BaselineSettings = BaselineSettings()
    outer_folds: Annotated[int, Field(ge=2)] | None = Field(
        default=None,
        description="number of outer folds in each of which the whole search is repeated (nested cross-validation);"
        " null repeats none",
    )
    costs: CostSettings = CostSettings()
    watch: WatchSettings = WatchSettings()
    tracking: TrackingSettings = TrackingSettings()

    def earlier_agents(self, agent: str) -> tuple[str, ...]:
        """Return the agents whose best configurations Stage A of `agent` tries early."""
        return self.agents[: self.agents.index(agent)] if self.stage_a.warm_start and agent in self.agents else ()

    def contradictions(self) -> list[tuple[str, str]]:
        """Return (key, problem) for values that are valid alone but not together."""
        problems = []
        if self.stage_c.candidates > self.stage_b.trials:
            problems.append(
                (
                    "stage_c.candidates",
                    f"{self.stage_c.candidates} is above stage_b.trials {self.stage_b.trials}",
                )
            )
        if self.final.deliver == "ensemble" and min(self.stage_c.ensemble, self.stage_c.candidates) == 1:
            problems.append(("final.deliver", "'ensemble' needs stage_c.ensemble and stage_c.candidates above 1"))
        epochs = self.training.epochs
        if self.stage_a.first_rung(epochs) > epochs:
            problems.append(("stage_a.min_epochs", f"{self.stage_a.min_epochs} is above training.epochs {epochs}"))
        if self.storage is not None and self.storage.startswith("sqlite") and self.workers * self.trials_per_gpu > 1:
            problems.append(
                (
                    "storage",
                    "SQLite locks its whole file for every write and must not lie on a network share, so only one"
                    " process can use it; use null (a journal), a PostgreSQL or MySQL URL, or workers: 1",
                )
            )
        for stage, limits in (("stage_a", self.stage_a), ("stage_b", self.stage_b)):
            if limits.gpu_hours is not None and self.training.device == "cpu":
                problems.append((f"{stage}.gpu_hours", "needs a GPU, but training.device is 'cpu'; use hours"))
        if self.trials_per_gpu > 1 and self.training.device == "cpu":
            problems.append(("trials_per_gpu", "must be 1 where training.device is 'cpu'; use workers"))
        if self.corpus.files is not None and self.corpus.dir is None:
            problems.append(("corpus.files", "names files of a folder, but corpus.dir is null"))
        if self.corpus.unannotated_means == "unknown" and self.objective.population == "natural":
            problems.append(
                (
                    "corpus.unannotated_means",
                    "'unknown' leaves pairs without a truth, which objective.population 'natural' needs; use"
                    " 'annotated' there",
                )
            )
        if len(set(self.agents)) < len(self.agents):
            problems.append(("agents", "an agent is listed twice"))
        return problems


class _PretrainedBackbone(StrictSchema):
    """A model with pretrained weights."""

    needs_corpus: ClassVar[bool] = False

    layers: Count | None = Field(
        default=None, description="number of encoder layers to keep, counted from the input; null keeps all"
    )
    lowercase: bool | None = Field(
        default=None, description="whether the tokenizer lower-cases, if its files do not say so; null asks them"
    )


class HubBackbone(_PretrainedBackbone):
    """A model from the Hugging Face hub at a pinned revision."""

    source: Literal["hub"]
    repo: str = Field(pattern=f"^{HUB_ID}$")
    revision: str = Field(description="commit, tag or branch; the commit that it resolves to is recorded")
    architecture: Architecture | None = Field(
        default=None, description="architecture that --random-init builds instead"
    )


class FolderBackbone(_PretrainedBackbone):
    """A local folder that save_pretrained wrote."""

    source: Literal["folder"]
    path: str


class PackageBackbone(_PretrainedBackbone):
    """A folder inside an installed Python package."""

    source: Literal["package"]
    package: str
    folder: str


class _RandomInitBackbone(StrictSchema):
    """A model with random weights and a tokenizer that is trained on the development texts."""

    needs_corpus: ClassVar[bool] = True


class TinyBackbone(_RandomInitBackbone):
    """A small randomly initialised model with a tokenizer trained on the development text."""

    source: Literal["tiny"]
    architecture: Architecture


class RandomBackbone(_RandomInitBackbone):
    """A randomly initialised model of base size with a tiny model's tokenizer, to measure speed without the hub."""

    source: Literal["random"]
    architecture: Architecture


BackboneSource = Annotated[
    HubBackbone | FolderBackbone | PackageBackbone | TinyBackbone | RandomBackbone, Field(discriminator="source")
]
