"""The transformers library's loaders, held to a folder that was looked over: offline, safetensors, no foreign code."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import nn

from ohlcv_factory.errors import DataError
from ohlcv_factory.models._foundation.backbone import Backbone
from ohlcv_factory.models._foundation.checkpoint import CONFIG, WEIGHTS, Checkpoint
from ohlcv_factory.models._foundation.model import FoundationModel


class TransformersModel(FoundationModel):
    """A forecaster of one network, a class of the transformers library. Authors name the classes that it is made of."""

    backbone_class: ClassVar[type[Any]]
    """A `Backbone`, made of a network and its shape."""

    @staticmethod
    @abstractmethod
    def network_classes() -> tuple[Any, Any]:
        """The classes of the network and of its configuration, imported here: they take seconds."""

    def load_backbone(self, *checkpoints: Checkpoint) -> Backbone:
        """The network with the checkpoint's weights."""
        return self._around(with_weights(*self.network_classes(), checkpoints[0]), checkpoints[0].config)

    def empty_backbone(self, most: int, *configs: Mapping[str, Any]) -> Backbone:
        """The network whose weights, at most so many numbers, are to be filled."""
        return self._around(without_weights(*self.network_classes(), configs[0], most), configs[0])

    def _around(self, network: nn.Module, config: Mapping[str, Any]) -> Backbone:
        backbone: Backbone = self.backbone_class(network, self.shape_of(config))
        return backbone


def with_weights(network_class: Any, config_class: Any, checkpoint: Checkpoint) -> nn.Module:
    """The network of a checkpoint with its weights, float32, in evaluation.

    Raises DataError (65) where configuration and weights do not fit: a library would fill what is missing with chance.
    """
    _refuse_larger(network_class, config_class, checkpoint.config, checkpoint.parameters)
    with _as_bad_data(), _without_progress(), torch.random.fork_rng(devices=[]):
        network, report = network_class.from_pretrained(
            str(checkpoint.folder),
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    strange = sorted({*report["missing_keys"], *report["unexpected_keys"]})
    if strange:
        raise DataError(
            f"{WEIGHTS} and {CONFIG} do not fit: {len(strange)} tensors have no counterpart, {strange[0]!r} among them.",
            where=str(checkpoint.folder),
            help="fetch both files again",
        )
    whole: nn.Module = network.float().eval()
    return whole


def without_weights(network_class: Any, config_class: Any, config: Mapping[str, Any], most: int) -> nn.Module:
    """The network that a configuration describes; its weights are to be filled with some of at most `most` numbers.

    Raises DataError (65) where it describes more than that.
    """
    _refuse_larger(network_class, config_class, config, most)
    with _as_bad_data(), torch.random.fork_rng(devices=[]):
        network: nn.Module = network_class(config_class(**config)).float().eval()
    return network


def _refuse_larger(network_class: Any, config_class: Any, config: Mapping[str, Any], most: int) -> None:
    """Raise DataError (65) for a configuration of more numbers than there are weights, before any memory is taken."""
    with _as_bad_data(), torch.device("meta"):
        described = network_class(config_class(**config))
    wanted = sum(parameter.numel() for parameter in described.parameters())
    if wanted > most:
        raise DataError(
            f"{CONFIG} describes a network of {wanted:,} numbers, the weights are {most:,}.", help="fetch both again"
        )


@contextmanager
def _as_bad_data() -> Iterator[None]:
    """What the library says of a foreign configuration or of weights that do not fit it, as DataError (65)."""
    try:
        yield
    except Exception as error:  # the library meets a foreign file here, and raises whatever it stumbles over
        first = str(error).strip().partition("\n")[0][:200]
        raise DataError(
            f"the checkpoint cannot be loaded: {type(error).__name__}: {first}.", help="fetch both files again"
        ) from error


@contextmanager
def _without_progress() -> Iterator[None]:
    """Loading takes a moment: the library's bar would stand between our own lines."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
