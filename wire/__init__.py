"""What crosses a process: messages, codec, bus (memory, Kafka), the one service loop, the settings base."""
