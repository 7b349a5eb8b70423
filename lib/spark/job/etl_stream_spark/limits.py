"""What ends a job though Spark did its work: too many rejects (lib/core/reject-limit.ts), and totals that do not fit."""
from __future__ import annotations

import json
import sys
from typing import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from .errors import JobError
from .facts import Facts
from .settings import Settings

# Rejects that an error tells of.
SHOWN = 3


def is_over(settings: Settings, facts: Facts) -> bool:
    """Whether so many rows of those that were read may not be rejected."""
    rejected = facts.rejected
    if rejected == 0 or settings.onError == 'fail':
        return rejected > 0
    limit = settings.maxRejects
    if 'rows' in limit:
        return rejected > limit['rows']
    return rejected > int(limit['share'] * facts.read * (1 + 4 * sys.float_info.epsilon))


def over(settings: Settings, facts: Facts, first: Sequence[Mapping[str, object]]) -> JobError:
    """ETL_REJECTED. `first`: the first rejects in order of the input, as `_rejects.jsonl` has them."""
    if settings.onError == 'fail':
        return _failed_at(first[0])
    reasons = sorted(facts.rejected_by(settings.rules).items(), key=lambda item: -item[1])
    numbered = ''.join(f' ({at}) {_place(reject)}: {_reason(reject)}' for at, reject in enumerate(first, 1))
    return JobError(
        'ETL_REJECTED',
        f'{facts.rejected} of {facts.read} rows were rejected, more than --max-rejects allows ({limit_text(settings.maxRejects)}): '
        f'{", ".join(f"{rows} {reason}" for reason, rows in reasons)}. {"The first is" if len(first) == 1 else "The first are"}{numbered}',
        f'{_hint(reasons)}Nothing was published. `etl-stream validate` has all reasons by file; --max-rejects allows more.',
    )


def limit_text(limit: Mapping[str, float]) -> str:
    """As a user writes it."""
    if 'rows' in limit:
        return str(limit['rows'])
    percent = float(f'{100 * limit["share"]:.12g}')
    return f'{percent:.12g}%'


def _failed_at(reject: Mapping[str, object]) -> JobError:
    column, field = reject['column'], reject['field_byte']
    where = '' if field is None else f', its field {"" if column is None else json.dumps(column, ensure_ascii=False) + " "}at byte {field}'
    return JobError(
        'ETL_REJECTED', f'The row at {_place(reject)}{where} is rejected, and with --on-error fail the first one ends the run: {_reason(reject)}',
        'Nothing was published. Without --on-error fail, such rows go to the rejects.',
    )


def _place(reject: Mapping[str, object]) -> str:
    return f'{reject["file"]}, line {reject["line"]} (byte {reject["byte"]})'


def _reason(reject: Mapping[str, object]) -> str:
    reason = f'rule {reject["column"]}:{reject["rule"]}' if reject['code'] == 'rule' else reject['code']
    return f'{reason}: {reject["message"]}'


def _hint(reasons: Sequence[tuple[str, int]]) -> str:
    """What the most common reason tells of the options."""
    most = next((reason for reason, rows in reasons if 2 * rows > sum(each for _, each in reasons)), '')
    if most in ('field_count', 'bad_quote', 'unterminated_quote'):
        return 'Is it another dialect? See --delimiter, --quote and --encoding, or let `etl-stream validate --sniff` guess. '
    if most == 'value_precision':
        return 'Values have more decimal places than those at the start: see --value-scale. '
    if most.startswith('rule '):
        return 'If such values are right, say so by --rule; min=none and max=none take the bounds of the value away. '
    return ''


def overflow(table: DataFrame, group_by: str, scale: int) -> JobError:
    """ETL_VALUE_OVERFLOW, of the first total that does not fit. It is looked for anew: this is where a job ends."""
    order = ['user_id'] if group_by == 'user' else ['region', 'user_id']
    first = table.where(~F.col('fits')).orderBy(*order).select('user_id', 'region', F.col('total').cast('string').alias('total')).first()
    user = json.dumps(first.user_id.encode()[:200].decode(errors='replace'), ensure_ascii=False)
    where = ' over all regions' if group_by == 'user' else f' in region {first.region}'
    limit = 'a 64-bit integer' if scale == 0 else f'the output type: it must be below {10 ** 18}'
    return JobError(
        'ETL_VALUE_OVERFLOW', f'The total of user {user}{where}, {first.total} in units of the last decimal place, does not fit {limit}.',
        'Check the value column for absurd values, or keep fewer decimal places with --value-scale.',
    )
