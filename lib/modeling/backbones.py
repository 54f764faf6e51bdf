"""Bring backbones into a folder once, and load them from there without network.

A backbone comes from the Hugging Face hub, a folder or an installed package, or gets random weights.
"""

import copy
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lib.errors import UserError
from lib.files.hashing import hash_file, hash_value
from lib.modeling.random_init import Size, build_random_backbone
from lib.schemas.backbone import BackboneManifest
from lib.settings.config import BackboneSource, FolderBackbone, HubBackbone, PackageBackbone, TinyBackbone

if TYPE_CHECKING:  # importing transformers takes two seconds, and many commands build no model
    from transformers import PreTrainedTokenizerBase

# The pickled weights are fetched only where a repository has no safetensors. Weights of other frameworks never are.
_WEIGHTS_FILE, _OLD_WEIGHTS_FILE = "model.safetensors", "pytorch_model.bin"
_HUB_FILES = ["*.json", "*.txt", "*.model", _WEIGHTS_FILE]


def fetch(name: str, source: BackboneSource, folder: Path, *, texts: list[str], seed: int) -> dict[str, Any]:
    """Bring a backbone's weights, configuration and tokenizer into `folder`.

    Args:
        name: The backbone's name in the backbones file.
        source: The source of its files.
        folder: Receives the files as `save_pretrained` writes them; it is created if it is missing.
        texts: Development texts that train the tokenizer of a tiny or random backbone; unused for other sources.
        seed: Seed of random weights; unused for other sources.

    Returns:
        The fields of `BackboneManifest` except for the provenance.

    Raises:
        UserError: The source is missing or cannot be loaded. The message says where it was looked for and how to
            provide it.
    """
    with tempfile.TemporaryDirectory() as temporary:
        staged = Path(temporary) / name
        staged.mkdir()
        if isinstance(source, HubBackbone):
            origin, resolved = _from_hub(name, source)
        elif isinstance(source, FolderBackbone):
            origin, resolved = Path(source.path), str(Path(source.path).resolve())
        elif isinstance(source, PackageBackbone):
            origin, resolved = _from_package(name, source)
        else:
            size: Size = "tiny" if isinstance(source, TinyBackbone) else "base"
            build_random_backbone(source.architecture, size, texts, staged, seed)
            origin, resolved = staged, f"random weights of {size} size, seed {seed}"
        layers = getattr(source, "layers", None)
        model = _load(name, origin, layers)
        tokenizer = _load_tokenizer(name, origin, getattr(source, "lowercase", None))
        model.save_pretrained(staged, safe_serialization=True)
        tokenizer.save_pretrained(staged)
        folder.mkdir(parents=True, exist_ok=True)
        for file in staged.iterdir():
            shutil.copyfile(file, folder / file.name)
    return {
        "name": name,
        "source": source.model_dump(mode="json"),
        "resolved": resolved if layers is None else f"{resolved}, first {layers} layers",
        "architecture": model.config.model_type,
        "parameters": sum(p.numel() for p in model.parameters()),
        "fingerprint": _fingerprint(folder),
    }


def _fingerprint(folder: Path) -> str:
    files = ("model.safetensors", "config.json", "tokenizer.json")
    return hash_value({file: hash_file(folder / file) for file in files})


def hub_status(name: str, source: HubBackbone) -> str:
    """Tell where a backbone of the hub will come from. Nothing is fetched but its configuration.

    Args:
        name: The backbone's name in the backbones file.
        source: The repository and its revision.

    Returns:
        A phrase about the cache or the hub.

    Raises:
        UserError: The repository is gated, or is neither in the cache nor on the hub.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    cached = [
        try_to_load_from_cache(source.repo, f, revision=source.revision) for f in (_WEIGHTS_FILE, _OLD_WEIGHTS_FILE)
    ]
    if any(isinstance(path, str) for path in cached):
        return f"{source.repo} is in the cache {constants.HF_HUB_CACHE}"
    try:
        hf_hub_download(source.repo, "config.json", revision=source.revision)
    except GatedRepoError:
        raise _gated_error(name, source) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"{source.repo} at {source.revision} is not in {constants.HF_HUB_CACHE}, and {constants.ENDPOINT} did not"
            f" give it ({type(error).__name__}); run 'hf download {source.repo} --revision {source.revision}"
            " --local-dir DIR' on a machine with network access, copy DIR here and declare it with 'source: folder'"
        ) from None
    return f"{source.repo} will be fetched from {constants.ENDPOINT}"


def _gated_error(name: str, source: HubBackbone) -> UserError:
    """Return the error that says how to get a backbone whose terms have to be accepted."""
    from huggingface_hub import constants

    return UserError(
        f"backbone '{name}': {source.repo} is gated; accept its terms at {constants.ENDPOINT}/{source.repo} with"
        " your account, and run 'hf auth login' or set HF_TOKEN to one of its tokens"
    )


def _from_hub(name: str, source: HubBackbone) -> tuple[Path, str]:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        path = Path(snapshot_download(source.repo, revision=source.revision, allow_patterns=_HUB_FILES))
        if not (path / _WEIGHTS_FILE).exists():
            snapshot_download(source.repo, revision=path.name, allow_patterns=[_OLD_WEIGHTS_FILE])
    except GatedRepoError:
        raise _gated_error(name, source) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"backbone '{name}': {source.repo} at {source.revision} cannot be fetched from the hub"
            f" ({type(error).__name__}); looked in the cache {constants.HF_HUB_CACHE} for"
            f" {', '.join(_HUB_FILES)} or {_OLD_WEIGHTS_FILE}."
            f" On a machine with network run 'hf download {source.repo} --revision {source.revision}"
            " --local-dir DIR', copy DIR here, and declare"
            f" '{name}: {{source: folder, path: DIR}}' in the backbones file"
        ) from None
    return path, f"{source.repo}@{path.name}"


def _from_package(name: str, source: PackageBackbone) -> tuple[Path, str]:
    from importlib.metadata import packages_distributions, version

    spec = importlib.util.find_spec(source.package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"backbone '{name}': package '{source.package}' is not installed;"
            f" pip install {source.package.replace('_', '-')}"
        )
    distribution = packages_distributions().get(source.package, [source.package])[0]
    path = Path(spec.submodule_search_locations[0]) / source.folder
    return path, f"{distribution}=={version(distribution)}"


def _load(name: str, folder: Path, layers: int | None) -> Any:
    """Load a model with its first `layers` encoder layers (all for None)."""
    if not (folder / "config.json").exists():
        raise UserError(
            f"backbone '{name}': {folder / 'config.json'} is missing; the folder must be as save_pretrained writes it"
        )
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if layers is not None and layers > config.num_hidden_layers:
            raise UserError(f"backbone '{name}': layers is {layers}, but the model has {config.num_hidden_layers}")
        config.num_hidden_layers = layers or config.num_hidden_layers
        if hasattr(config, "reference_compile"):
            config.reference_compile = False  # ModernBERT would compile parts of itself; training.compile decides
        return AutoModel.from_pretrained(folder, config=config, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise UserError(f"backbone '{name}': {folder} cannot be loaded: {str(error).splitlines()[0]}") from None


def _load_tokenizer(name: str, folder: Path, lowercase: bool | None) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    options = {} if lowercase is None else {"do_lower_case": lowercase}
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"backbone '{name}': {folder} cannot be loaded: {str(error).splitlines()[0]}") from None
    if lowercase not in (None, _lowercases(tokenizer)):  # such as one of bytes, which ignores the option
        raise UserError(
            f"backbone '{name}': lowercase is {lowercase}, but its tokenizer cannot be told so; remove it"
        )
    return tokenizer


def _lowercases(tokenizer: Any) -> bool:
    normalizer = tokenizer.backend_tokenizer.normalizer
    return normalizer is not None and bool(normalizer.normalize_str("A") == "a")


def without_pooler(model: Any) -> nn.Module:
    """Remove the pooler that some architectures have, since pooling is a hyper-parameter here."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    encoder: nn.Module = model
    return encoder


class Backbones:
    """Loads backbones. The weights are read once per process and copied for each training."""

    def __init__(self, root: Path) -> None:
        """Use the backbones in `root`, with one folder for each name."""
        self._root = root
        self._models: dict[str, nn.Module] = {}
        self._tokenizers: dict[str, PreTrainedTokenizerBase] = {}

    def _model(self, name: str) -> nn.Module:
        if name not in self._models:
            from transformers import AutoModel

            self.fingerprint(name)
            model = AutoModel.from_pretrained(self._root / name, local_files_only=True, dtype=torch.float32)
            self._models[name] = without_pooler(model)
        return self._models[name]

    def config(self, name: str) -> Any:
        """Return the transformers configuration of the encoder with its whole vocabulary."""
        return self._model(name).config

    def untrimmed(self, name: str, weight: Tensor, vocabulary: NDArray[np.int64]) -> Tensor:
        """Return the embeddings of all tokens of a backbone, with trained ones for a trimmed vocabulary.

        Args:
            name: The backbone's name.
            weight: (size, width) embeddings of the trimmed encoder.
            vocabulary: (size,) their token ids, ascending.

        Returns:
            (tokens, width) embeddings. Tokens outside of `vocabulary` keep their pretrained ones.
        """
        model: Any = self._model(name)
        whole: Tensor = model.get_input_embeddings().weight.detach().clone()
        whole[torch.from_numpy(vocabulary)] = weight
        return whole

    def encoder(self, name: str, vocabulary: NDArray[np.int64]) -> nn.Module:
        """Return a copy of the pretrained encoder that has embeddings only for the tokens of a vocabulary.

        Predictions for these tokens stay exactly the same. The optimizer no longer steps through the rows of tokens
        that never occur, which are half of MiniLM's parameters.

        Args:
            name: The backbone's name.
            vocabulary: (size,) token ids, ascending. The copy's token ids are places in it.

        Returns:
            The encoder without its pooler, on the CPU in fp32.
        """
        encoder = copy.deepcopy(self._model(name))
        _trim_embeddings(encoder, vocabulary)
        return encoder

    def tokenizer(self, name: str) -> "PreTrainedTokenizerBase":
        """Return the backbone's tokenizer."""
        if name not in self._tokenizers:
            from transformers import AutoTokenizer

            self._tokenizers[name] = AutoTokenizer.from_pretrained(self._root / name, local_files_only=True)
        return self._tokenizers[name]

    def fingerprint(self, name: str) -> str:
        """Return the hash of the contents of weights, configuration and tokenizer."""
        return BackboneManifest.read(self._root / name / BackboneManifest.FILE).fingerprint


def _trim_embeddings(encoder: Any, vocabulary: NDArray[np.int64]) -> None:
    old = encoder.get_input_embeddings()
    weight = old.weight.detach()[torch.from_numpy(vocabulary)]
    padding = None if old.padding_idx is None else int(np.searchsorted(vocabulary, old.padding_idx))
    rows, width = weight.shape
    encoder.set_input_embeddings(nn.Embedding(rows, width, padding_idx=padding, _weight=weight))
