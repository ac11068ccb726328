"""What schemathesis checks of ours, beside its own: a request that fits the document is taken, or refused in words.

A JSON schema says what each value may be, and cannot say that values fit each other or what a site has. Of those
refusals each is listed here; any other 422 that answers a request which fits the document is a failure.
"""

import re
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response

SAYS_MORE_THAN_A_SCHEMA = re.compile(
    r"from: must not be later than to"
    r"|from and to: at most .+ apart"
    r"|there are more than \d+ (periods|tracks) in this time"
    r"|(points|camera \S+: (regions|ignore)): .*(crosses itself|encloses no area|are the fewest|equal points in a row)"
    r"|(zones|cameras|outputs): there is no '|camera_id: there is no camera '"
    r"|(zones|cameras|identities|seconds|people|direction|who): \w+ (needs|takes|is about|has no)"
    r"|who: a count is of anyone|kind: the rule .* is about this zone"
    r"|(secret|url): must "
    r"|url: .+ is not public"
    r"|(time_)?zone: .*time zone|time_zone: .* is unknown"
    r"|after: (this is one|take the)"
    r"|nobody was found in the picture"
)


@schemathesis.check
def what_fits_the_document_is_taken(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """Fail unless a request that fits the document is taken, or refused for what a schema cannot say."""
    if response.status_code != 422 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    detail = response.json()["detail"]
    assert SAYS_MORE_THAN_A_SCHEMA.match(detail), f"a request that fits the document was refused: {detail}"
