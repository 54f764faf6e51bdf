"""Save a trained model as a self-contained folder of weights, tokenizers and decision settings, and load it."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lib.agents import get_agent
from lib.agents.agent import Agent, Features, Logits, Predictions, Rules
from lib.devices.device import Device
from lib.errors import UserError
from lib.evaluation.by_post import PostCriterionPairs, decide_posts, post_criterion_pairs
from lib.files.atomic import replacing
from lib.modeling.backbones import Backbones, without_pooler
from lib.modeling.layers import named_encoders
from lib.modeling.tokens import SpecialTokens
from lib.schemas.evaluation import ModelManifest
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.decision import DecisionRule, load_rules
from lib.tasks.examples import TextPairs
from lib.tasks.label import Labels
from lib.training.features import features_for_saved_model
from lib.training.inference import predict_logits

if TYPE_CHECKING:  # importing transformers takes two seconds, and many commands build no model
    from transformers import PreTrainedTokenizerBase

WEIGHTS = "model.safetensors"


def save_model(
    folder: Path, manifest: ModelManifest, model: nn.Module, features: Features, backbones: Backbones
) -> None:
    """Write a trained model.

    The manifest is written last, so that a folder with a manifest is complete. The encoders were trimmed to the
    tokens of the development set. They get all tokens of the backbone again, because a new post can contain any of
    them; the tokens that were trimmed get their pretrained vectors.

    Args:
        folder: Folder to write to; it is created.
        manifest: Describes the model; its hyper-parameters name the backbones.
        model: The trained model.
        features: The features it was trained on, which know the trimmed vocabularies.
        backbones: The fetched backbones, with their tokenizers and pretrained vectors.
    """
    hyper = Hyperparameters.of(manifest.params)
    names = get_agent(manifest.agent).backbone_names(hyper)
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    for (place, encoder), name, tokens in zip(named_encoders(model).items(), names, features.tokens, strict=True):
        own: Any = encoder
        key = next(f"{place}.{n}" for n, p in own.named_parameters() if p is own.get_input_embeddings().weight)
        state[key] = backbones.untrimmed(name, state[key], tokens.vocabulary)
    folder.mkdir(parents=True, exist_ok=True)
    for name in set(names):
        backbones.config(name).save_pretrained(folder / name)
        backbones.tokenizer(name).save_pretrained(folder / name)
    with replacing(folder / WEIGHTS) as temporary:
        save_file({name: value.contiguous() for name, value in state.items()}, temporary)
    manifest.write(folder / ModelManifest.FILE)


class _Network:
    """The weights and tokenizers of one training, which give logits."""

    def __init__(self, manifest: ModelManifest, folder: Path, device: Device) -> None:
        from transformers import AutoTokenizer

        self.agent, self.hyper = get_agent(manifest.agent), Hyperparameters.of(manifest.params)
        self.criteria, self.device = manifest.criteria, device
        names = self.agent.backbone_names(self.hyper)
        self.tokenizers: dict[str, PreTrainedTokenizerBase] = {
            name: AutoTokenizer.from_pretrained(folder / name, local_files_only=True) for name in set(names)
        }
        special = [SpecialTokens(self.tokenizers[n].cls_token_id, self.tokenizers[n].sep_token_id) for n in names]
        model = self.agent.model([_random_encoder(folder / name) for name in names], special, self.hyper)
        model.load_state_dict(load_file(folder / WEIGHTS))
        self.model = model.to(device.torch)

    def logits(self, pairs: TextPairs) -> Logits:
        features = features_for_saved_model(
            self.agent, pairs, self.hyper, self.tokenizers, list(self.criteria.values())
        ).to(self.device.torch)
        index = np.arange(len(pairs))
        return predict_logits(self.model, self.agent, features, index, self.hyper, self.device)


class SavedModel:
    """A model read from its folder, which predicts for any (criterion, text) pairs.

    Attributes:
        members: The models whose calibrated probabilities it averages, each with rules of its own; empty for a
            model of one training.
    """

    def __init__(
        self, manifest: ModelManifest, folder: Path, network: _Network | None, members: Sequence[Self]
    ) -> None:
        """Put a model together; use `load` to read a folder, or `average`."""
        self.manifest, self.folder, self.members = manifest, folder, members
        self.agent: Agent = get_agent(manifest.agent)
        self.hyper = Hyperparameters.of(manifest.params)
        self.rules: Rules = load_rules(manifest.rules)
        self.post_rule = None if manifest.post_rule is None else DecisionRule.load(manifest.post_rule)
        self._network = network

    @classmethod
    def load(cls, folder: Path, device: Device) -> Self:
        """Read a model from a folder that `save_model` or `write` wrote.

        A model that was trained and judged in single precision predicts in it, so that its predictions are those of
        its evaluation.

        Args:
            folder: The model's folder.
            device: The device to predict on.

        Returns:
            The model on the device.

        Raises:
            UserError: The folder holds no model.
        """
        if not (folder / ModelManifest.FILE).exists():
            raise UserError(
                f"{folder}: holds no model ({ModelManifest.FILE} is missing);"
                f" make it with 'snakemake --cores 2 {folder}'"
            )
        manifest = ModelManifest.read(folder / ModelManifest.FILE)
        device = replace(device, bf16=device.bf16 and manifest.provenance.device.endswith("bf16"))
        if manifest.members:
            read = {name: cls.load(folder / name, device) for name in dict.fromkeys(manifest.members)}
            return cls.average(manifest, [read[name] for name in manifest.members])
        return cls(manifest, folder, _Network(manifest, folder, device), [])

    @classmethod
    def average(cls, manifest: ModelManifest, members: Sequence[Self]) -> Self:
        """Return the average of models of the same agent.

        Args:
            manifest: Describes the average and its rules; `members` names a folder for each model.
            members: The models. One that is given twice counts twice.
        """
        return cls(manifest, members[0].folder, None, members)

    def with_manifest(self, manifest: ModelManifest) -> Self:
        """Return a model with the same weights and another manifest, for example with other rules."""
        return type(self)(manifest, self.folder, self._network, self.members)

    def write(self, folder: Path) -> None:
        """Write the model to a new folder, from which `load` reads it again."""
        if not self.members:
            shutil.copytree(self.folder, folder)
        else:
            for name, member in dict(zip(self.manifest.members, self.members, strict=True)).items():
                member.write(folder / name)
        self.manifest.write(folder / ModelManifest.FILE)

    def count_truncated(self, criteria: Sequence[str], texts: Sequence[str]) -> int:
        """Return how many sentences are longer than the model reads; posts are read in windows as a whole.

        Args:
            criteria: Names of the criteria against which they are scored.
            texts: The sentences, or posts of an agent that reads posts.

        Returns:
            The number of sentences that are cut off; 0 for an agent that reads posts.
        """
        if self.members:
            return max(member.count_truncated(criteria, texts) for member in self.members)
        if self.agent.reads_posts or not texts:
            return 0
        assert self._network is not None
        tokenizer = self._network.tokenizers[self.agent.backbone_names(self.hyper)[0]]
        longest = max(len(tokenizer(self.manifest.criteria[name])["input_ids"]) for name in criteria)
        special = tokenizer.num_special_tokens_to_add(pair=True) - tokenizer.num_special_tokens_to_add(pair=False)
        room = self.hyper.max_length - longest - special
        lengths = [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]]
        return sum(length > room for length in lengths)

    def logits(self, pairs: TextPairs) -> Logits:
        """Return the model's logits for pairs, before its rules are applied."""
        if self._network is not None:
            return self._network.logits(pairs)
        return self.average_logits({member: member.logits(pairs) for member in dict.fromkeys(self.members)}, pairs)

    def average_logits(self, members: "Mapping[SavedModel, Logits]", pairs: TextPairs) -> Logits:
        """Return the logits of the average for pairs, from those of each of its different members."""
        every, weights = np.arange(len(pairs)), Counter[SavedModel](self.members)
        return self.agent.average_logits(
            [(logits, self.agent.rule_values(model.rules, pairs, every)) for model, logits in members.items()],
            [weights[model] for model in members],
        )

    def predict(self, pairs: TextPairs) -> Predictions:
        """Return the model's predictions, decided as for the population that it was evaluated on."""
        values = self.agent.rule_values(self.rules, pairs, np.arange(len(pairs)))
        decide = self.agent.decide if self.manifest.population == "natural" else self.agent.decide_annotated
        return decide(self.logits(pairs), values, self.hyper)

    def aggregate_by_post(self, predictions: Predictions, pairs: TextPairs) -> tuple[Labels, PostCriterionPairs]:
        """Return the predictions about whole posts.

        Args:
            predictions: Of all pairs of some posts.
            pairs: These pairs.

        Returns:
            The prediction about each (post, criterion), and these.
        """
        first = predictions[self.agent.tasks[0].name]
        posts = post_criterion_pairs(first.yes_probability, pairs, np.arange(len(pairs)))
        return decide_posts(first, posts, self.post_rule), posts


def _random_encoder(folder: Path) -> nn.Module:
    """Return an encoder with the architecture in a folder and random weights, which the caller replaces."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    return without_pooler(AutoModel.from_config(config, dtype=torch.float32))
