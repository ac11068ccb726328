"""Everything services share: messages, codec, bus (memory, Kafka), the service loop and the settings base."""
