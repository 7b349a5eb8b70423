"""Tells whoever started the job where it is, as lines on stdout that begin with `etl-stream: ` and go on as JSON."""
from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from pyspark.sql import SparkSession

from .session import measured

PREFIX = 'etl-stream: '
_SECONDS = 0.5
# Of a long job every second one is dropped again and again.
_MOST_SAMPLES = 600


def tell(event: str, **more: Any) -> None:
    """One line, at once."""
    sys.stdout.write(f'{PREFIX}{json.dumps({"event": event, **more}, ensure_ascii=True)}\n')
    sys.stdout.flush()


class Progress:
    """Tells of the stages that run, twice a second, between `start` and `stop`. `phase` is set by whoever knows."""

    def __init__(self, spark: SparkSession) -> None:
        self.phase = 'plan'
        self.seconds = {'plan': 0.0, 'scatter': 0.0, 'reduce': 0.0, 'publish': 0.0}
        self.samples: list[dict[str, Any]] = []
        self._spark = spark
        self._every, self._polls = 1, 0
        self._tracker = spark.sparkContext.statusTracker()
        self._began = self._entered = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> 'Progress':
        self._thread.start()
        return self

    def enter(self, phase: str) -> None:
        now = time.monotonic()
        self.seconds[self.phase] += now - self._entered
        self.phase, self._entered = phase, now

    def stop(self) -> None:
        self.enter(self.phase)
        self._ended.set()
        self._thread.join()

    @property
    def total(self) -> float:
        """Seconds since the job began."""
        return time.monotonic() - self._began

    def _run(self) -> None:
        told: dict[int, int] = {}
        while not self._ended.wait(_SECONDS):
            for number in self._tracker.getActiveStageIds():
                stage = self._tracker.getStageInfo(number)
                if stage is not None and told.get(number) != stage.numCompletedTasks:
                    told[number] = stage.numCompletedTasks
                    tell('progress', phase=self.phase, stage=number, tasks=stage.numTasks, tasksDone=stage.numCompletedTasks, seconds=round(self.total, 3))
            self._polls += 1
            if self._polls % self._every == 0 and self.phase != 'publish':
                self._sample()

    def _sample(self) -> None:
        now = measured(self._spark)
        self.samples.append({
            'seconds': round(self.total, 3), 'phase': self.phase, 'inputBytes': now.read, 'bytes': now.read, 'read': now.records,
            'resident': now.resident, 'spilledBytes': now.spilled,
        })
        if len(self.samples) > _MOST_SAMPLES:
            del self.samples[1::2]
            self._every *= 2
