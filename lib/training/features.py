"""Tokenise an agent's examples into windows for each of its encoders."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lib.agents.agent import Agent, Features
from lib.modeling.backbones import Backbones
from lib.modeling.tokens import TokenCache, Tokens, WindowLayout, tokenize, tokenize_with_vocabulary
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples, TextPairs, make_targets

if TYPE_CHECKING:  # importing transformers takes two seconds, and many commands build no model
    from transformers import PreTrainedTokenizerBase

Encode = Callable[[str, list[str], list[str], float | None], Tokens]


def make_features(
    agent: Agent,
    examples: Examples,
    hyper: Hyperparameters,
    backbones: Backbones,
    cache: Path,
    words: Sequence[str] = (),
) -> Features:
    """Tokenise examples for all encoders of an agent.

    The first encoder's tokenizer determines the windows. Any other encoder reads the texts of the same windows.

    Args:
        agent: The agent whose examples they are.
        examples: The examples.
        hyper: Gives maximum length, overlap and backbones.
        backbones: Loads the tokenizers.
        cache: Folder of cached tokens.
        words: Words that are added to the vocabularies, since later texts (`features_of_augmented`) may contain them.

    Returns:
        The features, on the CPU.
    """

    def encode(name: str, first: list[str], second: list[str], overlap: float | None) -> Tokens:
        return tokenize(
            backbones.tokenizer(name),
            first,
            second,
            layout=WindowLayout(hyper.max_length, overlap),
            cache=TokenCache(cache, backbones.fingerprint(name)),
            words=words,
        )

    return _features(agent, examples, hyper, encode)


def features_of_augmented(
    agent: Agent,
    examples: Examples,
    hyper: Hyperparameters,
    backbones: Backbones,
    base: Features,
    criterion_texts: Sequence[str],
) -> Features:
    """Tokenise further examples in the vocabularies of existing features.

    Args:
        agent: The agent whose examples they are.
        examples: The examples.
        hyper: Gives maximum length, overlap and backbones.
        backbones: Loads the tokenizers.
        base: The existing features.
        criterion_texts: The criteria of the examples of `base`; the longest determines the overlap of windows.

    Returns:
        The features, on the CPU.

    Raises:
        ValueError: A token is not in a vocabulary of `base`.
    """
    vocabularies = {
        name: tokens.vocabulary for name, tokens in zip(agent.backbone_names(hyper), base.tokens, strict=True)
    }
    tokenizers = {name: backbones.tokenizer(name) for name in vocabularies}
    return _features(agent, examples, hyper, _in_vocabularies(hyper, tokenizers, vocabularies, criterion_texts))


def features_for_saved_model(
    agent: Agent,
    pairs: TextPairs,
    hyper: Hyperparameters,
    tokenizers: Mapping[str, "PreTrainedTokenizerBase"],
    criterion_texts: Sequence[str],
) -> Features:
    """Tokenise pairs for encoders whose vocabulary is not trimmed.

    Args:
        agent: The agent that reads the pairs.
        pairs: The pairs.
        hyper: Gives maximum length, overlap and backbones.
        tokenizers: One for each backbone of the agent, by name.
        criterion_texts: As in `features_of_augmented`.

    Returns:
        The features, on the CPU. Their targets are those of pairs without answers.
    """
    vocabularies = {name: np.arange(len(tokenizer)) for name, tokenizer in tokenizers.items()}
    encode = _in_vocabularies(hyper, tokenizers, vocabularies, criterion_texts)
    tokens = _tokenise(agent, pairs, hyper, encode)
    return Features(tokens, make_targets(tokens[0], np.zeros(len(pairs), dtype=np.int64), [()] * len(pairs)))


def _in_vocabularies(
    hyper: Hyperparameters,
    tokenizers: Mapping[str, "PreTrainedTokenizerBase"],
    vocabularies: Mapping[str, NDArray[np.int64]],
    criterion_texts: Sequence[str],
) -> Encode:
    def encode(name: str, first: list[str], second: list[str], overlap: float | None) -> Tokens:
        return tokenize_with_vocabulary(
            tokenizers[name],
            first,
            second,
            layout=WindowLayout(hyper.max_length, overlap),
            criterion_texts=criterion_texts,
            vocabulary=vocabularies[name],
        )

    return encode


def _features(agent: Agent, examples: Examples, hyper: Hyperparameters, encode: Encode) -> Features:
    tokens = _tokenise(agent, examples, hyper, encode)
    return Features(tokens, make_targets(tokens[0], examples.label, examples.gold_spans))


def _tokenise(agent: Agent, pairs: TextPairs, hyper: Hyperparameters, encode: Encode) -> tuple[Tokens, ...]:
    """Return the tokens of pairs for each encoder of an agent, with the same windows."""
    main, *others = agent.backbone_names(hyper)
    tokens = encode(main, pairs.criterion_text, pairs.text, hyper.overlap if agent.reads_posts else None)
    more: list[Tokens] = []
    if any(name != main for name in others):
        first = [pairs.criterion_text[pair] for pair in tokens.pair]
        windows = [_text(tokens, window, pairs.text[pair]) for window, pair in enumerate(tokens.pair)]
        more = [tokens if name == main else encode(name, first, windows, None) for name in others]
    else:
        more = [tokens for _ in others]
    return (tokens, *more)


def _text(tokens: Tokens, window: int, whole: str) -> str:
    """Return the part of a text that a window covers."""
    part = slice(tokens.offsets[window], tokens.offsets[window + 1])
    starts, ends = tokens.start[part], tokens.end[part]
    return whole[int(np.min(starts[starts >= 0], initial=len(whole))) : int(ends.max())]
