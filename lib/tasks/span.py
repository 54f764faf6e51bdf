"""Find the characters of a text that are the evidence, if there is any (the span task).

The score of a span is its start logit plus its end logit, minus both logits of the window's cls token, which stands
for no evidence. A window's normalisation cancels out in this difference. So the spans of all windows of a post can be
compared, and no evidence has score 0 in each of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax
from torch import Tensor
from torch.nn import functional as F

from lib.corpus.sentences import Characters
from lib.metrics.classification import (
    SCORES_FROM_STATISTICS,
    TAIL,
    f1,
    probability_scores_from_statistics,
    probability_statistics,
    safe_divide,
)
from lib.metrics.spans import RIGHT, best_over_gold_answers, has_words, span_scores
from lib.modeling.models import Outputs
from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.decision import LogOddsAt, RuleValues, fit_soft_f1_thresholds
from lib.tasks.examples import Examples, Targets, WeightedSample
from lib.tasks.task import Index, Task, TaskPredictions, imbalance_factor

# The number of starts and of ends that are combined in a window, and of spans kept per window and per example.
_ENDS, _BEST = 20, 10
# Log odds of an example without any span, which would be -inf.
_LEAST_ODDS = -700.0
ScoredSpan = tuple[int, int, float]
ScoredSpans = list[list[ScoredSpan]]


@dataclass(frozen=True)
class Spans(TaskPredictions):
    """Spans of n examples.

    Attributes:
        none: (n,) probability that there is no evidence.
        candidates: The best spans (start, end, probability) of each example, in characters, most probable first.
        yes: (n,) True where the first candidate is the answer, False where the answer is "no evidence".
    """

    score_names = (*SCORES_FROM_STATISTICS, "token_f1", "has_answer", "no_answer")

    none: NDArray[np.float64]
    candidates: ScoredSpans
    yes: NDArray[np.bool_]

    @property
    def yes_probability(self) -> NDArray[np.float64]:
        """The probability that there is evidence, (n,)."""
        return 1 - self.none

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The model's own probability that each answer counts as right, (n,).

        For "no evidence" that is its probability. For a span it is the summed probability of all spans whose overlap
        with it, as F1 of characters, is at least 0.5.
        """
        values = [
            sum(p for start, end, p in spans if _overlap((start, end), spans[0]) >= RIGHT) if yes else none
            for spans, yes, none in zip(self.candidates, self.yes, self.none.tolist(), strict=True)
        ]
        return np.clip(np.array(values, dtype=np.float64), 0, 1)

    def dump(self) -> dict[str, Any]:
        """Return offsets, probabilities and decisions as lists, without any text."""
        candidates = [[[start, end, round(p, 6)] for start, end, p in spans] for spans in self.candidates]
        return {"none": np.round(self.none, 6).tolist(), "candidates": candidates, "yes": self.yes.tolist()}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Self:
        """Return the predictions of a dump."""
        candidates = [[(int(s), int(e), float(p)) for s, e, p in spans] for spans in dumped["candidates"]]
        return cls(np.array(dumped["none"], dtype=np.float64), candidates, np.array(dumped["yes"], dtype=bool))

    def score(self, examples: Examples, sample: WeightedSample) -> dict[str, Any]:
        """Score the texts of the answers as SQuAD 2.0 does.

        Args:
            examples: All examples.
            sample: The n examples that are predicted, with their weights.

        Returns:
            The scores of `lib.metrics.spans.span_scores`.
        """
        texts, golds = self._texts(examples, sample.index), _golds(examples, sample.index)
        criterion = [examples.criterion[i] for i in sample.index]
        return span_scores(texts, golds, self.confidence, self.yes_probability, criterion, sample.weight)

    def reliability(self, examples: Examples, index: Index) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the confidence of each answer and whether it is right.

        Args:
            examples: All examples.
            index: (n,) the examples that are predicted.

        Returns:
            (n,) the confidence, and (n,) whether the answer's token F1 is at least 0.5.
        """
        return self.confidence, self._token_f1(examples, index) >= RIGHT

    def sufficient_statistics(self, examples: Examples, sample: WeightedSample) -> NDArray[np.float64]:
        """Return each example's token F1 by criterion, its probability of evidence and how wrong that is.

        Args:
            examples: All examples.
            sample: The n examples that are predicted, with their weights.

        Returns:
            (n, 6 criteria + 2 + bins), all times the weight. For each criterion, in alphabetical order: the pair
            itself, whether it has evidence, an answer, or both, its token F1 if it has evidence, and its token F1 if
            it has none; then the columns of `lib.metrics.classification.probability_statistics`.
        """
        score = self._token_f1(examples, sample.index)
        names, which = np.unique([examples.criterion[i] for i in sample.index], return_inverse=True)
        there, given = _has_evidence(examples, sample.index) == 1, self.yes
        columns = [np.ones(len(score)), there, given, there & given, score * there, score * ~there]
        one_hot = np.eye(len(names))[which][:, :, None]
        by_criterion = (one_hot * np.stack(columns, axis=1)[:, None, :]).reshape(len(score), -1)
        label = there.astype(np.int64)
        tail = probability_statistics(self.yes_probability, label, self.confidence, score >= RIGHT)
        return np.hstack([by_criterion, tail]) * sample.weight[:, None]

    @staticmethod
    def score_from_statistics(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores named in `score_names`, (samples, 12), as `lib.metrics.spans.span_scores` defines them.

        A score that a sample leaves undefined is NaN.

        Args:
            sums: (samples, 6 criteria + 2 + bins) the summed statistics of `sufficient_statistics`.

        Returns:
            The scores of each sample.
        """
        columns = sums[:, :-TAIL].reshape(len(sums), -1, 6)
        count, there, given, hit, on_evidence, on_none = (columns[:, :, i] for i in range(6))
        none = count - there

        def mean(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
            """Return the mean over the criteria that are chosen and have evidence in the sample."""
            chosen = chosen & (there > 0)
            return safe_divide((values * chosen).sum(axis=1), chosen.sum(axis=1), np.nan)

        everywhere = count > 0
        macro = mean(safe_divide(2 * on_evidence, there + given), everywhere)
        token_f1 = mean(safe_divide(on_evidence + on_none, count), everywhere)
        has, no = mean(safe_divide(on_evidence, there), everywhere), mean(safe_divide(on_none, none), none > 0)
        total, hits, true, predicted = (each.sum(axis=1) for each in (count, hit, there, given))
        errors, right = true + predicted - 2 * hits, total - true - predicted + hits
        yes = f1(hits, errors)
        rates = [
            yes,
            safe_divide(hits, predicted, np.nan),
            safe_divide(hits, true, np.nan),
            (yes + f1(right, errors)) / 2,
        ]
        ece, *of_probability = probability_scores_from_statistics(sums[:, -TAIL:], true, total)
        yes_rate = safe_divide(predicted, total, np.nan)
        return np.stack([macro, ece, *rates, yes_rate, *of_probability, token_f1, has, no], axis=1)

    def _token_f1(self, examples: Examples, index: Index) -> NDArray[np.float64]:
        pairs = zip(self._texts(examples, index), _golds(examples, index), strict=True)
        return np.array([best_over_gold_answers(gold, text)[0] for text, gold in pairs])

    def _texts(self, examples: Examples, index: Index) -> list[str]:
        """Return the text of each answer, '' for "no evidence"."""
        return [
            examples.text[i][slice(*spans[0][:2])] if yes else ""
            for i, spans, yes in zip(index, self.candidates, self.yes, strict=True)
        ]


class SpanTask(Task[ScoredSpans, Spans]):
    """Predicts spans. The logits are each example's best spans (start, end, score), in characters."""

    name = "span"
    predictions = Spans

    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Return the marginal cross entropy of start and end over all gold tokens (Clark & Gardner, 2018).

        The mean of the losses of start and end, each with class weight and focal factor, is summed over windows.
        Label smoothing spreads its share evenly over the tokens that are possible.

        Args:
            outputs: 'start' and 'end', (batch, tokens) each.
            targets: The targets of the batch.
            hyper: Gives the label smoothing, and what `imbalance_factor` takes.

        Returns:
            A scalar.
        """
        total = outputs["start"].new_zeros(len(targets.weight), dtype=targets.weight.dtype)
        possible = targets.allowed | targets.cls
        for name, gold in (("start", targets.start), ("end", targets.end)):
            log = outputs[name].float().masked_fill(~possible, float("-inf")).log_softmax(dim=-1)
            right = log.masked_fill(~gold, float("-inf")).logsumexp(dim=-1)
            evenly = log.masked_fill(~possible, 0).sum(dim=-1) / possible.sum(dim=-1)
            loss = -(1 - hyper.label_smoothing) * right - hyper.label_smoothing * evenly
            total = total + loss * imbalance_factor(right, targets.label, hyper)
        return (total / 2 * targets.weight).sum()

    def window_logits(
        self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters
    ) -> dict[str, Tensor]:
        """Return the ten best spans of each window.

        Args:
            outputs: 'start' and 'end', (batch, tokens) each.
            targets: Its `allowed` and `cls` say which tokens may be answered and which one means no evidence.
            batch: Gives the places of tokens in the flat arrays.
            hyper: Gives the greatest number of tokens of an answer.

        Returns:
            'score', 'start' and 'end', (batch, 10) each. Start and end are the places of a span's first and last
            token in the flat arrays. Missing spans have score -inf.
        """
        start, end = outputs["start"].float(), outputs["end"].float()
        none = ((start + end) * targets.cls).sum(dim=-1)
        ends = min(_ENDS, start.shape[1])
        starts, from_ = start.masked_fill(~targets.allowed, float("-inf")).topk(ends)
        stops, to = end.masked_fill(~targets.allowed, float("-inf")).topk(ends)
        tokens = to[:, None, :] - from_[:, :, None]
        legal = (tokens >= 0) & (tokens < hyper.max_answer)
        scores = (starts[:, :, None] + stops[:, None, :] - none[:, None, None]).masked_fill(~legal, float("-inf"))
        best, which = scores.flatten(1).topk(min(_BEST, ends * ends))
        place = batch.place.to(start.device)
        found = {
            "score": best,
            "start": place.gather(1, from_.gather(1, which // ends)),
            "end": place.gather(1, to.gather(1, which % ends)),
        }
        missing = (0, _BEST - best.shape[1])
        return {n: F.pad(v, missing, value=float("-inf") if n == "score" else 0) for n, v in found.items()}

    def combine_windows(
        self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index
    ) -> ScoredSpans:
        """Keep the ten best spans of each example.

        Args:
            rows: 'score', 'start' and 'end', (n_windows, 10) each, as `window_logits` returns them.
            tokens: All windows of all examples.
            windows: (n_windows,) the windows that the rows belong to.
            index: (n,) the examples.

        Returns:
            The spans of n examples, best first. A span of two overlapping windows counts once, with its higher score.
        """
        of: dict[int, dict[tuple[int, int], float]] = defaultdict(dict)
        starts, ends = tokens.start[rows["start"]], tokens.end[rows["end"]]
        for row, column in np.argwhere(np.isfinite(rows["score"])):
            spans = of[int(tokens.pair[windows[row]])]
            span = (int(starts[row, column]), int(ends[row, column]))
            spans[span] = max(spans.get(span, -np.inf), float(rows["score"][row, column]))
        ordered = {pair: sorted(spans.items(), key=lambda item: (-item[1], item[0])) for pair, spans in of.items()}
        return [[(*span, value) for span, value in ordered.get(int(pair), [])[:_BEST]] for pair in index]

    def select(self, logits: ScoredSpans, chosen: Index) -> ScoredSpans:
        """Return the spans of some examples.

        Args:
            logits: The spans of n examples.
            chosen: (m,) places in `logits`.

        Returns:
            The spans of m examples.
        """
        return [logits[place] for place in chosen]

    def concatenate_logits(self, all_logits: Sequence[ScoredSpans]) -> ScoredSpans:
        """Concatenate lists of spans."""
        return [spans for logits in all_logits for spans in logits]

    def logits_from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> ScoredSpans:
        """Return the ten best parts of each example as its spans.

        Args:
            scored: For each example, the characters [start, end) of its parts and their log odds.

        Returns:
            The scored spans of each example, best first.
        """
        ranked = [sorted(parts, key=lambda part: (-part[1], part[0]))[:_BEST] for parts in scored]
        return [[(*span, odds) for span, odds in parts] for parts in ranked]

    def log_odds_at(self, logits: ScoredSpans) -> LogOddsAt:
        """Return a function that maps n temperatures to the log odds that any span of n examples is right, (n,)."""
        scores = _padded(logits)[:, 1:]

        def at(temperature: NDArray[np.float64]) -> NDArray[np.float64]:
            odds: NDArray[np.float64] = logsumexp(scores / temperature[:, None], axis=1)
            return np.maximum(odds, _LEAST_ODDS)

        return at

    def truth(self, examples: Examples, index: Index) -> NDArray[np.int64]:
        """Return 1 where there is evidence, else 0, (n,).

        Args:
            examples: All examples.
            index: (n,) which of them.

        Returns:
            (n,) 1 where there is evidence, else 0.
        """
        return _has_evidence(examples, index)

    def decision_function(
        self, logits: ScoredSpans, values: RuleValues, hyper: Hyperparameters
    ) -> NDArray[np.float64]:
        """Return what the null policy compares with its threshold, (n,).

        Args:
            logits: The spans of n examples.
            values: The values of a rule for the n examples.
            hyper: Gives the null policy. For `ratio` it is the log odds of the best span against no evidence, for
                others those of any span.

        Returns:
            (n,) calibrated log odds.
        """
        scores = _padded(logits)[:, 1:] / values.temperature[:, None]
        odds = scores.max(axis=1) if hyper.null_policy == "ratio" else logsumexp(scores, axis=1)
        statistic: NDArray[np.float64] = np.maximum(odds, _LEAST_ODDS) + values.offset
        return statistic

    def fit_thresholds(
        self, statistic: NDArray[np.float64], logits: ScoredSpans, examples: Examples, sample: WeightedSample
    ) -> dict[str, float]:
        """Return the thresholds by criterion that maximise the F1 of yes with token F1 as hits.

        Args:
            statistic: (n,) what the null policy compares with its threshold.
            logits: The spans of n examples.
            examples: All examples.
            sample: The n examples, with their weights.

        Returns:
            The threshold of each criterion.
        """
        index = sample.index
        texts = [examples.text[i][slice(*s[0][:2])] if s else "" for i, s in zip(index, logits, strict=True)]
        pairs = zip(_golds(examples, index), texts, strict=True)
        there = self.truth(examples, index).astype(np.float64)
        hit = there * np.array([best_over_gold_answers(gold, text)[0] for gold, text in pairs])
        return fit_soft_f1_thresholds(statistic, hit, there, [examples.criterion[i] for i in index], sample.weight)

    def decide(
        self, logits: ScoredSpans, values: RuleValues, hyper: Hyperparameters, threshold: NDArray[np.float64]
    ) -> Spans:
        """Give the best span as the answer where the null policy's statistic reaches the threshold.

        Args:
            logits: The spans of n examples.
            values: Temperature and offset of the n examples.
            hyper: Gives the null policy; the policy `none` gives an answer to every example that has a span.
            threshold: (n,) the thresholds.

        Returns:
            The spans with their probabilities. They and no evidence sum to 1 for each example.
        """
        none, candidates = _chances(logits, values)
        found = np.array([bool(spans) for spans in candidates])
        if hyper.null_policy == "none":
            return Spans(none, candidates, found)
        return Spans(none, candidates, found & (self.decision_function(logits, values, hyper) >= threshold))

    def average_logits(
        self, members: Sequence[tuple[ScoredSpans, RuleValues]], weights: Sequence[float] | None = None
    ) -> ScoredSpans:
        """Average the calibrated probabilities of equal spans and of no evidence, and return scores.

        Args:
            members: The spans of each model for the same n examples, and the values of its rule.
            weights: The weight of each model; None for equal ones.

        Returns:
            The ten best spans of each example. Their scores are log odds against no evidence.
        """
        chances = [_chances(logits, values) for logits, values in members]
        shares = np.full(len(members), 1.0) if weights is None else np.array(weights, dtype=np.float64)
        shares = shares / shares.sum()
        none = np.average([each for each, _ in chances], axis=0, weights=shares).clip(np.finfo(np.float64).tiny)
        averaged: ScoredSpans = []
        for row, lists in enumerate(zip(*(candidates for _, candidates in chances), strict=True)):
            total: dict[tuple[int, int], float] = defaultdict(float)
            for spans, share in zip(lists, shares.tolist(), strict=True):
                for start, end, chance in spans:
                    total[start, end] += share * chance
            ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))[:_BEST]
            averaged.append([(*span, float(np.log(max(p, 1e-300) / none[row]))) for span, p in ordered])
        return averaged

    def dump_logits(self, logits: ScoredSpans) -> list[list[list[float]]]:
        """Return the spans as lists, with scores rounded to five decimals."""
        return [[[start, end, round(score, 5)] for start, end, score in spans] for spans in logits]

    def load_logits(self, dumped: Any) -> ScoredSpans:
        """Return the spans of a dump."""
        return [[(int(start), int(end), float(score)) for start, end, score in spans] for spans in dumped]


def _has_evidence(examples: Examples, index: Index) -> NDArray[np.int64]:
    """Return 1 where there is evidence that the scores of spans count, else 0."""
    return np.array([any(map(has_words, gold)) for gold in _golds(examples, index)], dtype=np.int64)


def _golds(examples: Examples, index: Index) -> list[list[str]]:
    """Return the texts of each example's gold answers."""
    return [[examples.text[i][slice(*characters)] for characters in examples.gold_spans[i]] for i in index]


def _overlap(span: tuple[int, int], other: ScoredSpan) -> float:
    shared = max(0, min(span[1], other[1]) - max(span[0], other[0]))
    return 2 * shared / (span[1] - span[0] + other[1] - other[0])


def _chances(logits: ScoredSpans, values: RuleValues) -> tuple[NDArray[np.float64], ScoredSpans]:
    """Return the calibrated probabilities of no evidence, (n,), and of each span."""
    scores = _padded(logits) / values.temperature[:, None]
    scores[:, 1:] += values.offset[:, None]
    chances = softmax(scores, axis=1)
    candidates = [
        [(start, end, float(chance)) for (start, end, _), chance in zip(spans, row[1:], strict=False)]
        for spans, row in zip(logits, chances, strict=True)
    ]
    none: NDArray[np.float64] = chances[:, 0]
    return none, candidates


def _padded(logits: ScoredSpans) -> NDArray[np.float64]:
    """Return scores, (n, 11): 0 for no evidence first, then those of the spans, and -inf for missing spans."""
    scores = np.full((len(logits), 1 + _BEST), -np.inf)
    scores[:, 0] = 0
    for row, spans in enumerate(logits):
        scores[row, 1 : 1 + len(spans)] = [value for _, _, value in spans]
    return scores
