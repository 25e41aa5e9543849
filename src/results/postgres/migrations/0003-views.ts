import { type Kysely, type Migration, sql } from 'kysely';

/**
 * What a dashboard or a person reads. The score is that of src/comparison/score.ts, step by step and in the same order, so that
 * both get the same doubles; test/integration/scoring.test.ts shows that they agree. No view uses a CTE, so that a condition on
 * run_uid reaches the tables.
 */
const VIEWS = `
-- Arithmetic on double precision raises an error where it would overflow or underflow, and one program that reports 1e308 must
-- not break the view for everybody: magnitudes above 1e300 count as 1e300, and a mean below 1e-290 as 0.
create function batchtest.mean(samples double precision[]) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
  total double precision := 0;
  correction double precision := 0;
  sum double precision;
  sample double precision;
begin
  foreach sample in array samples loop
    sample := greatest(-1e300, least(1e300, sample));
    sum := total + sample;
    correction := correction + case when abs(total) >= abs(sample) then total - sum + sample else sample - sum + total end;
    total := sum;
  end loop;
  total := total + correction;
  return case when abs(total) < 1e-285 then 0 else total / cardinality(samples) end;
end $$;
comment on function batchtest.mean is 'Arithmetic mean by Kahan–Babuška summation.';

create function batchtest.share_of_best(mean double precision, worst double precision, best double precision) returns double precision
language sql immutable parallel safe
return case
  when best = worst then 1
  -- Too small to be seen in a score, and dividing it could underflow.
  when abs(mean - worst) < abs(best - worst) * 1e-15 then 0
  else abs(mean - worst) / abs(best - worst)
end;
comment on function batchtest.share_of_best is 'Where a mean is between the worst (0) and the best (1).';

create view batchtest.metric_statistics as
select
  t.run_uid,
  t.variant_id,
  m.name as metric,
  count(*) as samples,
  batchtest.mean(array_agg(m.value order by t.repetition)) as mean,
  -- Squares of larger values overflow.
  case when bool_and(abs(m.value) < 1e150)
    then stddev_samp(case when abs(m.value) < 1e150 then m.value end) end as stddev,
  min(m.value) as min,
  max(m.value) as max
from batchtest.trials t
join batchtest.metrics m
  on m.run_uid = t.run_uid and m.variant_id = t.variant_id and m.repetition = t.repetition and m.attempt = t.accepted_attempt
group by t.run_uid, t.variant_id, m.name;
comment on view batchtest.metric_statistics is 'Every metric of every variant over its accepted results. stddev is that of the sample, null for one result.';

create view batchtest.variant_scores as
select
  v.run_uid,
  v.variant_id,
  v.position,
  v.name as variant,
  v.parameters,
  counts.trials,
  counts.succeeded,
  counts.failed,
  scores.score,
  case when scores.score is not null
    then rank() over (partition by v.run_uid order by scores.score desc nulls last) end as rank
from batchtest.variants v
join (
  select run_uid, variant_id, count(*) as trials,
    count(*) filter (where phase = 'Succeeded') as succeeded,
    count(*) filter (where phase = 'Failed') as failed
  from batchtest.trials
  group by run_uid, variant_id
) counts on counts.run_uid = v.run_uid and counts.variant_id = v.variant_id
left join (
  select shares.run_uid, shares.variant_id,
    floor(sum(shares.weight * shares.share order by shares.position) / total.weight * 1e9 + 0.5) / 1e9 as score
  from (
    select o.run_uid, s.variant_id, o.position, o.weight,
      case o.goal
        when 'maximize' then batchtest.share_of_best(s.mean, min(s.mean) over candidates, max(s.mean) over candidates)
        else batchtest.share_of_best(s.mean, max(s.mean) over candidates, min(s.mean) over candidates)
      end as share
    from batchtest.objective_metrics o
    join batchtest.metric_statistics s on s.run_uid = o.run_uid and s.metric = o.name
    join (
      select run_uid, variant_id
      from batchtest.trials
      group by run_uid, variant_id
      having bool_or(phase = 'Succeeded') and not bool_or(phase = 'Failed')
    ) candidate on candidate.run_uid = s.run_uid and candidate.variant_id = s.variant_id
    window candidates as (partition by o.run_uid, o.position)
  ) shares
  join (
    select run_uid, sum(weight order by position) as weight from batchtest.objective_metrics group by run_uid
  ) total on total.run_uid = shares.run_uid
  group by shares.run_uid, shares.variant_id, total.weight
) scores on scores.run_uid = v.run_uid and scores.variant_id = v.variant_id;
comment on view batchtest.variant_scores is 'The variants of a run with their score from 0 to 1 among each other. A variant with a failed trial, or without a result, has none. Equal scores share a rank.';

create view batchtest.comparison_matrix as
select
  v.run_uid, v.rank, v.variant_id, v.variant, v.position, v.score,
  s.metric, o.goal, o.weight, s.samples, s.mean, s.stddev, s.min, s.max
from batchtest.variant_scores v
left join batchtest.metric_statistics s on s.run_uid = v.run_uid and s.variant_id = v.variant_id
left join batchtest.objective_metrics o on o.run_uid = s.run_uid and o.name = s.metric;
comment on view batchtest.comparison_matrix is 'One row for each variant and metric. goal and weight are null for metrics that are not part of the objective.';

create view batchtest.best_variant as
select distinct on (v.run_uid)
  v.run_uid, r.name as run, r.workflow_id, v.variant_id, v.variant, v.parameters, v.score
from batchtest.variant_scores v
join batchtest.runs r on r.uid = v.run_uid
where v.rank = 1
order by v.run_uid, v.position;
comment on view batchtest.best_variant is 'The best variant of each run that has one; of equal ones the first in the BatchTest.';

create view batchtest.run_summary as
select
  r.uid, r.name, r.namespace, r.workflow_id, r.engine, r.state, r.reason, r.message, r.started_at, r.finished_at,
  t.total, t.pending, t.succeeded, t.failed, t.cancelled
from batchtest.runs r
left join lateral (
  select count(*) as total,
    count(*) filter (where phase = 'Pending') as pending,
    count(*) filter (where phase = 'Succeeded') as succeeded,
    count(*) filter (where phase = 'Failed') as failed,
    count(*) filter (where phase = 'Cancelled') as cancelled
  from batchtest.trials
  where run_uid = r.uid
) t on true;
comment on view batchtest.run_summary is 'Each run with the number of its trials in each phase.';
`;

export const views: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(VIEWS).execute(db);
  },
};
