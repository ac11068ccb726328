"""The bus over Apache Kafka; nothing else imports its client."""
