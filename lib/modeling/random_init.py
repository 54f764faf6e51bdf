"""Models of the known architectures with random weights, tiny or of base size, and tokenizers trained on a corpus."""

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from lib.settings.config import Architecture

Size = Literal["tiny", "base"]
_VOCABULARY: dict[Size, int] = {"tiny": 2000, "base": 30_000}
_WIDTH, _LAYERS, _HEADS = 64, 2, 2
_POSITIONS = 1024
_COMMON: dict[str, Any] = {
    "hidden_size": _WIDTH,
    "num_hidden_layers": _LAYERS,
    "num_attention_heads": _HEADS,
    "intermediate_size": 2 * _WIDTH,
    "max_position_embeddings": _POSITIONS,
}
# Some architectures name the sizes differently from BERT.
_TINY: dict["Architecture", dict[str, Any]] = {
    "bert": _COMMON,
    "roberta": {**_COMMON, "max_position_embeddings": _POSITIONS + 2, "type_vocab_size": 1},
    "deberta-v2": {
        **_COMMON,
        "relative_attention": True,
        "position_buckets": 32,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "electra": {**_COMMON, "embedding_size": _WIDTH // 2},
    "albert": {**_COMMON, "embedding_size": _WIDTH // 2},
    "distilbert": {
        "dim": _WIDTH,
        "n_layers": _LAYERS,
        "n_heads": _HEADS,
        "hidden_dim": 2 * _WIDTH,
        "max_position_embeddings": _POSITIONS,
    },
    "convbert": {**_COMMON, "embedding_size": _WIDTH, "num_attention_heads": 4},
    "xlnet": {"d_model": _WIDTH, "n_layer": _LAYERS, "n_head": _HEADS, "d_inner": 2 * _WIDTH},
    "modernbert": {**_COMMON, "local_attention": 32, "attention_dropout": 0.1, "reference_compile": False},
}
_BASE_COMMON: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
}
# The values are those of the published base models.
_BASE: dict["Architecture", dict[str, Any]] = {
    "bert": _BASE_COMMON,
    "roberta": {**_BASE_COMMON, "max_position_embeddings": 514, "type_vocab_size": 1},
    "deberta-v2": {**_TINY["deberta-v2"], **_BASE_COMMON, "position_buckets": 256},
    "electra": {**_BASE_COMMON, "embedding_size": 768},
    "albert": {**_BASE_COMMON, "embedding_size": 128},
    "distilbert": {"dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3072, "max_position_embeddings": 512},
    "convbert": {**_BASE_COMMON, "embedding_size": 768},
    "xlnet": {"d_model": 768, "n_layer": 12, "n_head": 12, "d_inner": 3072},
    "modernbert": {
        **_BASE_COMMON,
        "num_hidden_layers": 22,
        "intermediate_size": 1152,
        "max_position_embeddings": 8192,
        "reference_compile": False,
    },
}
_SPECIAL: dict[str, dict[str, str]] = {
    "wordpiece": {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
    "bpe": {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"},
    "unigram": {"pad": "<pad>", "unk": "<unk>", "cls": "<cls>", "sep": "<sep>", "mask": "<mask>"},
}
_KIND: dict["Architecture", str] = {
    "roberta": "bpe",
    "deberta-v2": "unigram",
    "albert": "unigram",
    "xlnet": "unigram",
    "modernbert": "bpe",
}
_WITHOUT_TYPES = ("roberta", "distilbert", "modernbert")


def build_random_backbone(
    architecture: "Architecture", size: Size, texts: list[str], folder: Path, seed: int
) -> None:
    """Train a tokenizer, initialise a model, and save both as `save_pretrained` writes them.

    Args:
        architecture: transformers' model type.
        size: 'tiny' (2 layers, width 64, at most 2,000 tokens) or 'base' (at most 30,000 tokens).
        texts: The training texts of the tokenizer.
        folder: Receives the files.
        seed: Seed of the weights.
    """
    tokenizer = _tokenizer(architecture, texts, _VOCABULARY[size])
    special = tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id
    model = random_encoder(architecture, size, len(tokenizer), special, seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def random_encoder(
    architecture: "Architecture", size: Size, vocabulary: int, special: tuple[int, int, int], seed: int
) -> Any:
    """Return an encoder with random weights; torch's global CPU generator is left as it was.

    Args:
        architecture: transformers' model type.
        size: 'tiny' or 'base'.
        vocabulary: Number of tokens.
        special: The ids of the padding, cls and sep tokens.
        seed: Seed of the weights.

    Returns:
        The transformers model, on the CPU in fp32.
    """
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.for_model(
        architecture,
        vocab_size=vocabulary,
        **dict(zip(("pad_token_id", "bos_token_id", "eos_token_id"), special, strict=True)),
        **({"cls_token_id": special[1], "sep_token_id": special[2]} if architecture == "modernbert" else {}),
        **(_TINY if size == "tiny" else _BASE)[architecture],
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModel.from_config(config)


def _tokenizer(architecture: "Architecture", texts: list[str], size: int) -> "PreTrainedTokenizerFast":
    from transformers import PreTrainedTokenizerFast

    kind = _KIND.get(architecture, "wordpiece")
    special = _SPECIAL[kind]
    tokenizer = _TRAINERS[kind](texts, list(special.values()), size)
    tokenizer.add_special_tokens(list(special.values()))
    cls, sep = special["cls"], special["sep"]
    single, pair = f"{cls} $A {sep}", f"{cls} $A {sep} $B:1 {sep}:1"
    if architecture == "roberta":
        pair = f"{cls} $A {sep} {sep} $B {sep}"
    if architecture == "xlnet":
        single, pair = f"$A {sep} {cls}:2", f"$A {sep} $B:1 {sep}:1 {cls}:2"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(t, tokenizer.token_to_id(t)) for t in (cls, sep)]
    )
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    if architecture in _WITHOUT_TYPES:
        inputs.remove("token_type_ids")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=inputs,
        model_max_length=512,
        padding_side="left" if architecture == "xlnet" else "right",
        **{f"{name}_token": token for name, token in special.items()},
    )


def _wordpiece(texts: list[str], special: list[str], size: int) -> Tokenizer:
    """Build a WordPiece vocabulary of all characters and the most frequent words.

    The library's WordPiece and Unigram trainers depend on the order of a hash table, so each process would get a
    different vocabulary. This function and `_unigram` sort words by frequency, and ties alphabetically.
    """
    tokenizer = Tokenizer(models.WordPiece())
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    words = _token_counts(tokenizer, texts)
    characters = sorted(set("".join(words)))
    vocabulary = [*special, *characters, *(f"##{c}" for c in characters)]
    vocabulary += [word for word in _frequent(words) if len(word) > 1]
    places = {piece: i for i, piece in enumerate(vocabulary[:size])}
    tokenizer.model = models.WordPiece(vocab=places, unk_token=special[1])
    return tokenizer


def _unigram(texts: list[str], special: list[str], size: int) -> Tokenizer:
    """Score words by their log frequency, and characters below every word."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    words = _token_counts(tokenizer, texts)
    total = sum(words.values())
    pieces = [(piece, 0.0) for piece in special]
    pieces += [(character, -20.0) for character in sorted(set("".join(words)))]
    pieces += [(word, math.log(words[word] / total)) for word in _frequent(words) if len(word) > 1]
    tokenizer.model = models.Unigram(pieces[:size], unk_id=1)
    return tokenizer


def _bpe(texts: list[str], special: list[str], size: int) -> Tokenizer:
    """Train byte-level BPE, for which the library's trainer is deterministic if the alphabet is fixed."""
    tokenizer = Tokenizer(models.BPE(unk_token=special[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    return tokenizer


_TRAINERS = {"wordpiece": _wordpiece, "unigram": _unigram, "bpe": _bpe}


def _token_counts(tokenizer: Tokenizer, texts: list[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text)
        counts.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    return counts


def _frequent(words: Counter[str]) -> list[str]:
    return sorted(words, key=lambda word: (-words[word], word))
