-- A work order stands whole in its last hour. What it had made by an hour's start while it ran goes from that hour to the
-- one before: the hours add up to the whole to the last digit, which shares that are rounded one by one would not.
with work as materialized (
    select
        work_order.tenant_id,
        work_order.date,
        work_order.line_code,
        work_order.product_code,
        work_order.start_time,
        date_trunc(
            'hour', greatest(work_order.start_time, work_order.end_time - interval '1 microsecond'), 'UTC'
        ) as last_hour,
        extract(epoch from work_order.end_time - work_order.start_time) as elapsed,
        work_order.total_qty,
        work_order.good_qty,
        work_order.defect_qty,
        work_order.cycle_time_avg_sec,
        work_order.runtime_minutes,
        work_order.downtime_minutes
    from staging.stg_work_order as work_order
    where work_order.date between :from_date and :to_date
),

whole as (
    select
        work.tenant_id,
        work.date,
        work.last_hour as hour_timestamp,
        work.line_code,
        work.product_code,
        sum(work.total_qty) as total_qty,
        sum(work.good_qty) as good_qty,
        sum(work.defect_qty) as defect_qty,
        sum(work.cycle_time_avg_sec) as cycle_time_sum,
        count(work.cycle_time_avg_sec) as cycle_times,
        sum(work.runtime_minutes) as runtime_minutes,
        sum(work.downtime_minutes) as downtime_minutes
    from work
    group by work.tenant_id, work.date, work.last_hour, work.line_code, work.product_code
),

made_before as (
    select
        work.tenant_id,
        work.date,
        hour.hour_timestamp,
        work.line_code,
        work.product_code,
        sum(work.total_qty * extract(epoch from hour.hour_timestamp - work.start_time) / nullif(work.elapsed, 0)) as total_qty,
        sum(work.good_qty * extract(epoch from hour.hour_timestamp - work.start_time) / nullif(work.elapsed, 0)) as good_qty,
        sum(work.defect_qty * extract(epoch from hour.hour_timestamp - work.start_time) / nullif(work.elapsed, 0)) as defect_qty,
        sum(work.cycle_time_avg_sec) as cycle_time_sum,
        count(work.cycle_time_avg_sec) as cycle_times,
        sum(work.runtime_minutes * extract(epoch from hour.hour_timestamp - work.start_time) / nullif(work.elapsed, 0)) as runtime_minutes,
        sum(work.downtime_minutes * extract(epoch from hour.hour_timestamp - work.start_time) / nullif(work.elapsed, 0)) as downtime_minutes
    from work
    cross join lateral generate_series(
        date_trunc('hour', work.start_time, 'UTC') + interval '1 hour', work.last_hour, interval '1 hour'
    ) as hour(hour_timestamp)
    where work.last_hour > work.start_time
    group by work.tenant_id, work.date, hour.hour_timestamp, work.line_code, work.product_code
),

part as (
    select
        whole.tenant_id, whole.date, whole.hour_timestamp, whole.line_code, whole.product_code, whole.total_qty,
        whole.good_qty, whole.defect_qty, whole.cycle_time_sum, whole.cycle_times, whole.runtime_minutes,
        whole.downtime_minutes
    from whole
    union all
    select
        made_before.tenant_id,
        made_before.date,
        made_before.hour_timestamp + side.shift,
        made_before.line_code,
        made_before.product_code,
        made_before.total_qty * side.sign,
        made_before.good_qty * side.sign,
        made_before.defect_qty * side.sign,
        case when side.sign = 1 then made_before.cycle_time_sum end,
        case when side.sign = 1 then made_before.cycle_times end,
        made_before.runtime_minutes * side.sign,
        made_before.downtime_minutes * side.sign
    from made_before
    cross join (values (interval '-1 hour', 1), (interval '0 hours', -1)) as side(shift, sign)
)

select
    part.tenant_id,
    part.date,
    part.hour_timestamp,
    part.line_code,
    part.product_code,
    sum(part.total_qty) as total_qty,
    sum(part.good_qty) as good_qty,
    sum(part.defect_qty) as defect_qty,
    sum(part.cycle_time_sum) / nullif(sum(part.cycle_times), 0) as cycle_time_avg,
    sum(part.runtime_minutes) as runtime_minutes,
    sum(part.downtime_minutes) as downtime_minutes
from part
group by part.tenant_id, part.date, part.hour_timestamp, part.line_code, part.product_code
