"""What a person gets who tunes nothing: the hyper-parameters that a search must beat."""

from dataclasses import fields
from typing import Any

from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import Settings


def default_params(settings: Settings) -> dict[str, Any]:
    """Return the default configuration, under the names of the search space.

    The Hugging Face Trainer's defaults (transformers' TrainingArguments: AdamW, 5e-5 falling linearly, no warm-up, no
    weight decay, batches of 8, gradients clipped at 1) with the usual heads: the cls token, dropout 0.1, one layer.
    Spans as in its question answering example: answers of at most 30 tokens, "none" if it is the more probable.
    Backbone and length are not searched for either: the space's first backbone and greatest length.
    """
    space = settings.space
    backbone = settings.config.baseline.backbone or space.backbones[0]
    weights = {f.name: 0.0 for f in fields(Hyperparameters) if f.metadata["name"].startswith("aug.weight_")}
    return Hyperparameters(
        backbone=backbone,
        joint_backbone=backbone,
        pooling="cls",
        gradient_checkpointing=False,
        head_layers=1,
        head_hidden=256,
        head_activation="tanh",
        head_dropout=0.1,
        max_length=space.longest_length,
        overlap=0.25,
        batch_size=8,
        accumulation=1,
        optimizer="adamw",
        lr=5e-5,
        head_lr_factor=1.0,
        layer_decay=1.0,
        weight_decay=0.0,
        ema_decay=0.0,
        clip_norm=1.0,
        schedule="linear",
        warmup=0.0,
        label_smoothing=0.0,
        span_weight=0.5,
        max_answer=30,
        null_policy="ratio",
        null_threshold=0.5,
        null_ratio=1.0,
        null_temperature=1.0,
        joint_fusion="concat",
        joint_dropout=0.1,
        augment=False,
        augment_share=0.0,
        augment_methods=1,
        augment_words=0.1,
        antonym_guard="off",
        strategy="all",
        **weights,
    ).params()
