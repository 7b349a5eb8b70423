"""Frames texts without Spark, as the job's workers do: a list of cases on each line of the input, what came of them on each of the output.

A case: text (latin1), number of lines in a batch that are to give the same (`cuts`), and what an Input has. Of it come the records as
[line, byte, record (latin1), status, valid, length], the totals, and the error, all of the first cut; a later one that differs is told."""
import json
import sys
from types import SimpleNamespace

import pyarrow as pa

from etl_stream_spark import file_reader, frame, record_batch
from etl_stream_spark.errors import JobError
from etl_stream_spark.inputs import Input
from etl_stream_spark.settings import Dialect

MARK = b'\xef\xbb\xbf'
seen = {'byArrays': 0, 'byFramer': 0}


class Counted(record_batch.RecordBatch):
    """Tells who found the records."""

    def add_run(self, start, end, line):
        seen['byArrays'] += len(start)
        super().add_run(start, end, line)

    def add(self, record):
        seen['byFramer'] += 1
        super().add(record)


def lines_of(text: bytes) -> list[bytes]:
    """What Spark's text source gives of a file: no byte order mark, and no line behind the last line feed."""
    text = text.removeprefix(MARK)
    lines = text.split(b'\n')
    return lines if lines[-1] else lines[:-1]


def framed(case, lines, cut, kind, number=7):
    """As file `number` of a partition that holds the files up to that one, all with the same text."""
    text = case['text'].encode('latin-1')
    said = Dialect(**{**case['dialect'], 'names': ()})
    size = len(text) if case['isPlain'] else 1 << 40
    inputs = [Input(each, 'a.csv', '', '', size, said, case['width'], {}, (), 'text', text.startswith(MARK)) for each in range(7, number + 1)]
    rows = [(each.number, line) for each in inputs for line in lines]
    batches = [
        pa.record_batch([pa.array([file for file, _ in part], pa.int32()), pa.array([line for _, line in part], kind)], ['file', 'value'])
        for part in (rows[at:at + cut] for at in range(0, len(rows), cut))
    ]
    records, totals, error = [], None, None
    try:
        for batch in frame.frames(SimpleNamespace(maxRecord=case['limit'], encoding=case['encoding']), inputs)(iter(batches)):
            for file, line, byte, record, status, valid, n, length in zip(*(column.to_pylist() for column in batch.columns)):
                if file != number:
                    continue
                assert totals is None, 'a row behind the totals'
                if status == -1:
                    totals = [n, line, byte]
                else:
                    assert n == 1
                    records.append([line, byte, record.decode('latin-1'), status, valid, length])
    except JobError as cause:
        error = [cause.code, cause.message, cause.hint]
    return {'records': records, 'totals': totals, 'error': error}


def answer(case):
    lines = lines_of(case['text'].encode('latin-1'))
    results = []
    for number, (cut, piece) in enumerate(case['cuts']):
        frame.PIECE_BYTES = piece
        results.append(framed(case, lines, cut, [pa.binary(), pa.large_binary()][number % 2]))
    differs = next((cut for cut, result in zip(case['cuts'], results) if result != results[0]), None)
    if differs is None and results[0]['error'] is None and framed(case, lines, len(lines) + 1, pa.binary(), 8) != results[0]:
        differs = 'the second of two files'
    return {**results[0], 'differs': differs}


if __name__ == '__main__':
    file_reader.RecordBatch = Counted
    for line in sys.stdin:
        print(json.dumps({'answers': [answer(case) for case in json.loads(line)], 'seen': seen}), flush=True)
