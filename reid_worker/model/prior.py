"""What is said of the similarity prior of weights where they are loaded to serve."""

import logging

from wire.similarity import SimilarityPrior

log = logging.getLogger(__name__)


def log_prior(model_id: str, prior: SimilarityPrior | None) -> None:
    """Say what similarities of these weights are taken to mean; a warning with the remedy where they do not tell."""
    if prior is None:
        log.warning(
            "weights %s do not say how alike embeddings of one person are (no similarity prior): until a site has "
            "taught it, the gallery assumes what holds for the shipped weights; `climbtrack evaluate --weights FILE "
            "--write-prior` measures it",
            model_id,
        )
        return
    log.info(
        "weights %s: cosine %.2f +- %.2f of the same person, %.2f +- %.2f of different people",
        *(model_id, prior.same_mean, prior.same_std, prior.different_mean, prior.different_std),
    )
