"""The CLIMB network in plain PyTorch, its weights, and the one class that serves them."""

from reid_worker.model.embedder import Embedder, load_embedder
from reid_worker.model.tensors import WeightsError

__all__ = ["Embedder", "WeightsError", "load_embedder"]
