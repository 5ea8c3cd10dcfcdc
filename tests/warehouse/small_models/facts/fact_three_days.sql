select
    work_order.tenant_id,
    day.date::date as date,
    work_order.line_code,
    sum(work_order.total_qty) as total_qty
from staging.stg_work_order as work_order
inner join generate_series(cast(:from_date as date)::timestamp, cast(:to_date as date), interval '1 day') as day(date)
    on work_order.date between day.date::date - 2 and day.date::date
where work_order.date between cast(:from_date as date) - 2 and :to_date
group by work_order.tenant_id, day.date, work_order.line_code
