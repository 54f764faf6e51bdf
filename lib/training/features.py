"""An agent's examples as windows of tokens for each of its encoders."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from lib.agents.agent import Agent, Features
from lib.modeling.backbones import Backbones
from lib.modeling.tokens import Tokens, tokenize, tokenize_more
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples, make_targets

Encode = Callable[[str, list[str], list[str], float | None], Tokens]


def make_features(
    agent: Agent,
    examples: Examples,
    hyper: Hyperparameters,
    backbones: Backbones,
    cache: Path,
    words: Sequence[str] = (),
) -> Features:
    """Tokenise for the agent's first encoder; any other encoder reads the texts of the same windows.

    words: that other texts, told later, may hold beside those of the examples.
    """

    def encode(name: str, first: list[str], second: list[str], overlap: float | None) -> Tokens:
        return tokenize(
            backbones.tokenizer(name),
            first,
            second,
            max_length=hyper.max_length,
            overlap=overlap,
            fingerprint=backbones.fingerprint(name),
            cache=cache,
            words=words,
        )

    return _features(agent, examples, hyper, encode)


def more_features(
    agent: Agent,
    examples: Examples,
    hyper: Hyperparameters,
    backbones: Backbones,
    base: Features,
    among: Sequence[str],
) -> Features:
    """Tokenise other examples as those of `base` were. among: the `first` texts of base's examples."""
    vocabularies = {name: tokens.vocabulary for name, tokens in zip(agent.backbones(hyper), base.tokens, strict=True)}
    tokenizers = {name: backbones.tokenizer(name) for name in vocabularies}
    return _in_vocabularies(agent, examples, hyper, tokenizers, vocabularies, among)


def features_in(
    agent: Agent,
    examples: Examples,
    hyper: Hyperparameters,
    tokenizers: Mapping[str, PreTrainedTokenizerBase],
    among: Sequence[str],
) -> Features:
    """Tokenise examples for encoders that know all of their tokenizer's tokens. among: as in `more_features`."""
    vocabularies = {name: np.arange(len(tokenizer)) for name, tokenizer in tokenizers.items()}
    return _in_vocabularies(agent, examples, hyper, tokenizers, vocabularies, among)


def _in_vocabularies(
    agent: Agent,
    examples: Examples,
    hyper: Hyperparameters,
    tokenizers: Mapping[str, PreTrainedTokenizerBase],
    vocabularies: Mapping[str, NDArray[np.int64]],
    among: Sequence[str],
) -> Features:
    def encode(name: str, first: list[str], second: list[str], overlap: float | None) -> Tokens:
        return tokenize_more(
            tokenizers[name],
            first,
            second,
            max_length=hyper.max_length,
            overlap=overlap,
            among=among,
            vocabulary=vocabularies[name],
        )

    return _features(agent, examples, hyper, encode)


def _features(agent: Agent, examples: Examples, hyper: Hyperparameters, encode: Encode) -> Features:
    main, *others = agent.backbones(hyper)
    tokens = encode(main, examples.first, examples.second, hyper.overlap if agent.reads_posts else None)
    more: list[Tokens] = []
    if any(name != main for name in others):
        first = [examples.first[pair] for pair in tokens.pair]
        windows = [_text(tokens, window, examples.second[pair]) for window, pair in enumerate(tokens.pair)]
        more = [tokens if name == main else encode(name, first, windows, None) for name in others]
    else:
        more = [tokens for _ in others]
    return Features((tokens, *more), make_targets(tokens, examples.label, examples.answers))


def _text(tokens: Tokens, window: int, whole: str) -> str:
    """Return the text a window covers."""
    part = slice(tokens.offsets[window], tokens.offsets[window + 1])
    starts, ends = tokens.start[part], tokens.end[part]
    return whole[int(np.min(starts[starts >= 0], initial=len(whole))) : int(ends.max())]
