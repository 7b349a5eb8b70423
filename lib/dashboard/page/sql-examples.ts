/** Queries to begin with. Each works on every dataset, also on one without reports or rejects; a test runs them all. */

export interface Example {
  readonly name: string;
  readonly sql: string;
}

export const examples: readonly Example[] = [
  { name: 'Watch time by region', sql: `SELECT geo_region, count(*) AS users, sum(log_count) AS logs, sum(total_watch_time) AS watch_time
FROM watch_time
GROUP BY geo_region
ORDER BY watch_time DESC` },
  { name: 'Most active users', sql: `SELECT user_id, sum(log_count) AS logs, sum(total_watch_time) AS watch_time
FROM watch_time
GROUP BY user_id
ORDER BY logs DESC
LIMIT 100` },
  { name: 'Quantiles by region', sql: `SELECT geo_region, quantile_cont(total_watch_time::DOUBLE, [0.5, 0.9, 0.99]) AS quantiles
FROM watch_time
GROUP BY geo_region
ORDER BY geo_region` },
  { name: 'Runs', sql: 'FROM runs' },
  { name: 'Rejects by reason', sql: `SELECT reason, count(*) AS rejected
FROM rejects
GROUP BY reason
ORDER BY rejected DESC` },
];
