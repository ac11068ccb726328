"""Which weights a site decides by, as an operator chose; it travels with the site's tracklets, in their order."""

from wire.message import Message, Signed, check_name


class WeightsChoice(Message, frozen=True, kw_only=True, eq=False, tag="weights-choice"):
    """Decide a site by some weights from now on, or forget what is known under some.

    Attributes:
        use: The `model_id` to decide by; empty if that does not change.
        forget: The `model_id` whose prototypes are deleted; empty for none.
        time_ns: When it was chosen; earlier choices that arrive again have no effect.
    """

    site_id: str
    use: str = ""
    forget: str = ""
    time_ns: Signed

    def __post_init__(self) -> None:
        check_name("site_id", self.site_id)
        if bool(self.use) == bool(self.forget):
            raise ValueError("a choice of weights must either use or forget some")
