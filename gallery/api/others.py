"""What the API has to know of the settings of other services."""

from dataclasses import dataclass

from gallery.recording.config import NOT_RECORDED, RecordingSettings


@dataclass(frozen=True, slots=True)
class OtherSettings:
    """Settings of the recorder and of alerts.

    Attributes:
        recording: Where recordings are.
        webhook_hosts: Hosts of this network that alerts may be sent to.
    """

    recording: RecordingSettings = NOT_RECORDED
    webhook_hosts: tuple[str, ...] = ()


NO_OTHERS = OtherSettings()
