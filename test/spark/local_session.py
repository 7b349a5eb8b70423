"""The session of Spark that tests have: this machine's two cores, loopback, nothing on the console."""
from pyspark.sql import SparkSession

SETTINGS = {
    'spark.master': 'local[2]', 'spark.ui.enabled': 'false', 'spark.log.level': 'ERROR', 'spark.ui.showConsoleProgress': 'false',
    'spark.driver.host': '127.0.0.1', 'spark.driver.bindAddress': '127.0.0.1', 'spark.driver.memory': '1g',
}


def open_session(more: dict[str, str]) -> SparkSession:
    builder = SparkSession.builder
    for key, value in {**SETTINGS, **more}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
