"""What runs on this machine only: a real Kafka without Docker or Java, and the demo."""
