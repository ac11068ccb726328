"""Zones, alert rules, alerts, and where they are sent."""
