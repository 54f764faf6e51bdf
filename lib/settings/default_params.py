"""Give the default hyper-parameters, without any tuning, which a search must beat."""

from dataclasses import fields
from typing import Any

from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import Settings


def default_params(settings: Settings) -> dict[str, Any]:
    """Return the default configuration, under the names of the search space.

    Training follows the defaults of the Hugging Face Trainer (transformers' TrainingArguments), which are AdamW, a
    learning rate of 5e-5 that falls linearly, no warm-up, no weight decay, batches of 8, and gradients clipped at 1.
    The heads are the usual ones, with the cls token, dropout 0.1 and one layer. Spans follow the question answering
    example of transformers: answers have at most 30 tokens. Thresholds are fitted as for every model. The
    backbone is the configured one or the space's first one, and the length is the greatest of the space.
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
        unannotated=settings.config.corpus.unannotated,
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
        positive_weight=1.0,
        focal_gamma=0.0,
        span_weight=0.5,
        max_answer=30,
        null_policy="threshold",
        joint_fusion="concat",
        joint_dropout=0.1,
        augment=False,
        p_apply=0.0,
        ops_per_sample=1,
        max_replace=0.1,
        antonym_guard="off",
        augmentation_strategy="all",
        **weights,
    ).params()
