"""etl-stream's job on Apache Spark: the same meaning and the same result as on one machine (lib/spark/README.md)."""
