"""The read model: every booking on every worker, in SQLite, projected from Kafka and rebuilt from it."""
