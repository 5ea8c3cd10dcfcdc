-- What had been made by the end of an hour less what had been made by its start: the differences add up to the whole
-- to the last digit, which shares that are rounded one by one would not.
with part as (
    select
        work_order.tenant_id,
        work_order.date,
        hour.hour_timestamp,
        work_order.line_code,
        work_order.product_code,
        work_order.total_qty,
        work_order.good_qty,
        work_order.defect_qty,
        work_order.cycle_time_avg_sec,
        work_order.runtime_minutes,
        work_order.downtime_minutes,
        hour.hour_timestamp <= work_order.start_time as is_first,
        hour.hour_timestamp + interval '1 hour' >= work_order.end_time as is_last,
        extract(epoch from hour.hour_timestamp - work_order.start_time) as from_second,
        extract(epoch from hour.hour_timestamp + interval '1 hour' - work_order.start_time) as to_second,
        extract(epoch from work_order.end_time - work_order.start_time) as elapsed
    from staging.stg_work_order as work_order
    cross join lateral generate_series(
        date_trunc('hour', work_order.start_time, 'UTC'),
        greatest(work_order.start_time, work_order.end_time - interval '1 microsecond'),
        interval '1 hour'
    ) as hour(hour_timestamp)
    where work_order.date between :from_date and :to_date
)

select
    part.tenant_id,
    part.date,
    part.hour_timestamp,
    part.line_code,
    part.product_code,
    sum(
        case when part.is_last then part.total_qty else part.total_qty * part.to_second / nullif(part.elapsed, 0) end
        - case when part.is_first then 0 else part.total_qty * part.from_second / nullif(part.elapsed, 0) end
    ) as total_qty,
    sum(
        case when part.is_last then part.good_qty else part.good_qty * part.to_second / nullif(part.elapsed, 0) end
        - case when part.is_first then 0 else part.good_qty * part.from_second / nullif(part.elapsed, 0) end
    ) as good_qty,
    sum(
        case when part.is_last then part.defect_qty else part.defect_qty * part.to_second / nullif(part.elapsed, 0) end
        - case when part.is_first then 0 else part.defect_qty * part.from_second / nullif(part.elapsed, 0) end
    ) as defect_qty,
    avg(part.cycle_time_avg_sec) as cycle_time_avg,
    sum(
        case when part.is_last then part.runtime_minutes else part.runtime_minutes * part.to_second / nullif(part.elapsed, 0) end
        - case when part.is_first then 0 else part.runtime_minutes * part.from_second / nullif(part.elapsed, 0) end
    ) as runtime_minutes,
    sum(
        case when part.is_last then part.downtime_minutes else part.downtime_minutes * part.to_second / nullif(part.elapsed, 0) end
        - case when part.is_first then 0 else part.downtime_minutes * part.from_second / nullif(part.elapsed, 0) end
    ) as downtime_minutes
from part
group by part.tenant_id, part.date, part.hour_timestamp, part.line_code, part.product_code
