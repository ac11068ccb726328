"""Outputs: sends alerts to webhooks, and what is going on to MQTT."""
