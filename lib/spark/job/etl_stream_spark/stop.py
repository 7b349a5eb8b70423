"""
SIGTERM ends a job in order: Spark's work is cancelled, what was written is cleared away on the way out, and nothing is published. From
`too_late` on, when the output is about to get its name, the job goes on to its end, which is near.
"""
from __future__ import annotations

import os
import signal
import threading

from pyspark.sql import SparkSession

from .progress import tell


_state = {'is_stoppable': False}


class Stopped(BaseException):
    """Whoever catches errors of a job does not catch it."""


def stop_in_order(spark: SparkSession) -> None:
    """From now on; says which process is to get the signal. Of a main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        return

    def stop(*_) -> None:
        too_late()
        # As pyspark does it at SIGINT: by another connection than the one that is waited at.
        spark.sparkContext.cancelAllJobs()
        raise Stopped

    _state['is_stoppable'] = True
    signal.signal(signal.SIGTERM, stop)
    tell('started', pid=os.getpid())


def too_late() -> None:
    """No signal ends a job any more that `stop_in_order` was told of."""
    if _state['is_stoppable']:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
