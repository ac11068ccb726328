"""People of an identity block: mostly unrelated, with occasional groups of two to four who are hard to tell apart."""

import numpy as np

from training.synthetic.body import sample_person
from training.synthetic.hard_negatives import similar_person
from training.synthetic.person import Person
from training.synthetic.restyle import Fashion, restyled

KIN = 4  # identity seeds 4n..4n+3 may look alike
# How many of the four look alike, and how likely that is; 1 means none.
COUNTS, SHARES = (1, 2, 3, 4), (0.58, 0.24, 0.11, 0.07)


def person_of(seed: int, fashion: Fashion | None = None) -> Person:
    """Return the person of an identity seed, dressed in another fashion if one is given."""
    group, place = divmod(seed, KIN)
    count = int(np.random.default_rng([group, 15]).choice(COUNTS, p=SHARES))
    rng = np.random.default_rng([seed, 1])
    if place == 0 or place >= count:
        person = sample_person(rng)
    else:
        person = similar_person(sample_person(np.random.default_rng([group * KIN, 1])), rng)
    return person if fashion is None else restyled(person, fashion)
