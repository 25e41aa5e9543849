import { type Kysely, type Migration, sql } from 'kysely';

/**
 * Ranks by what a score is short of 1, as src/comparison/score.ts makes them: rounded scores took for equal what differs by less than a billionth
 * of the range, which one variant far away makes. Replaces the views variant_scores and best_variant of 0005.
 */
const PRECISE_RANKS = `
create function batchtest.share_of_worst(mean double precision, worst double precision, best double precision) returns double precision
language sql immutable parallel safe
return case
  -- Means that differ by the rounding of their sums are equal.
  when abs(worst - best) <= 1e-12 * greatest(abs(worst), abs(best)) then 0
  when abs(mean - best) <= 1e-12 * greatest(abs(mean), abs(best)) then 0
  -- Dividing it could underflow, which raises an error.
  when abs(mean - best) < greatest(abs(worst - best), 1e-15) * 1e-285 then 0
  else abs(mean - best) / abs(worst - best)
end;
comment on function batchtest.share_of_worst is 'Where a mean is between the best (0) and the worst (1).';

create or replace view batchtest.variant_scores as
select
  v.run_uid,
  v.variant_id,
  v.position,
  v.name as variant,
  v.parameters,
  counts.trials,
  counts.succeeded,
  counts.failed,
  floor((1 - scores.shortfall) * 1e9 + 0.5) / 1e9 as score,
  case when scores.shortfall is not null and v.stopped_at_look is null
    then rank() over (
      partition by v.run_uid, scores.shortfall is not null and v.stopped_at_look is null order by scores.shortfall
    ) end as rank,
  v.stopped_at_look is not null as stopped_early
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
    -- Rounded to nine digits, as the code does.
    to_char(sum(shares.weight * shares.share order by shares.position) / total.weight, '9.99999999EEEE')::double precision as shortfall
  from (
    select o.run_uid, s.variant_id, o.position, o.weight,
      case o.goal
        when 'maximize' then batchtest.share_of_worst(s.mean, min(s.mean) over candidates, max(s.mean) over candidates)
        else batchtest.share_of_worst(s.mean, max(s.mean) over candidates, min(s.mean) over candidates)
      end as share
    from batchtest.objective_metrics o
    join batchtest.metric_statistics s on s.run_uid = o.run_uid and s.metric = o.name
    join (
      select t.run_uid, t.variant_id
      from batchtest.trials t
      -- What was measured on data that has changed is no result.
      join batchtest.runs r on r.uid = t.run_uid and r.reason is distinct from 'SharedDataChanged'
      group by t.run_uid, t.variant_id
      having bool_or(t.phase = 'Succeeded') and not bool_or(t.phase = 'Failed')
    ) candidate on candidate.run_uid = s.run_uid and candidate.variant_id = s.variant_id
    window candidates as (partition by o.run_uid, o.position)
  ) shares
  join (
    select run_uid, sum(weight order by position) as weight from batchtest.objective_metrics group by run_uid
  ) total on total.run_uid = shares.run_uid
  group by shares.run_uid, shares.variant_id, total.weight
) scores on scores.run_uid = v.run_uid and scores.variant_id = v.variant_id;
comment on view batchtest.variant_scores is 'The variants of a run with their score from 0 to 1 among each other. A variant with a failed trial, or without a result, has none, and no variant of a run whose shared data has changed has. Equal scores share a rank. A variant that was stopped early has no rank.';

create or replace view batchtest.best_variant as
select
  v.run_uid, r.name as run, r.workflow_id, v.variant_id, v.name as variant, v.parameters, chosen.score
from (
  select equals.run_uid, max(equals.score) as score,
    (batchtest.preferred(equals.place order by equals.position))[1]::integer as position
  from (
    select s.run_uid, s.position, s.score,
      array[s.position::double precision] || coalesce(tie_break.means, '{}') as place
    from batchtest.variant_scores s
    left join (
      select m.run_uid, m.variant_id,
        array_agg(case o.goal when 'maximize' then m.mean else -m.mean end order by metric.number, o.position) as means
      from batchtest.runs r
      join batchtest.objective_metrics o on o.run_uid = r.uid
      join batchtest.metric_statistics m on m.run_uid = r.uid and m.metric = o.name
      left join lateral jsonb_array_elements_text(r.manifest #> '{spec,comparison,tieBreak}') with ordinality as metric (name, number)
        on metric.name = o.name
      group by m.run_uid, m.variant_id
    ) tie_break on tie_break.run_uid = s.run_uid and tie_break.variant_id = s.variant_id
    where s.rank = 1
  ) equals
  group by equals.run_uid
) chosen
join batchtest.variants v on v.run_uid = chosen.run_uid and v.position = chosen.position
join batchtest.runs r on r.uid = v.run_uid;
comment on view batchtest.best_variant is 'The best variant of each run that has one; of equal ones the one that comparison.tieBreak prefers, then the one that is better on the first metric of the objective that differs, then the first in the BatchTest.';
drop function batchtest.share_of_best;
`;

export const preciseRanks: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql.raw(PRECISE_RANKS).execute(db);
  },
};
