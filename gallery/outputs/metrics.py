"""Prometheus metrics of alerts."""

from prometheus_client import CollectorRegistry, Counter


class AlertMetrics:
    """Metric families of alerts; create once per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.raised = Counter("climbtrack_alerts_total", "Alerts raised", ["when"], registry=registry)
        self.deliveries = Counter(
            "climbtrack_alert_deliveries_total",
            "Attempts to send an alert to an output: sent, failed and tried again, or given up",
            ["outcome"],
            registry=registry,
        )
