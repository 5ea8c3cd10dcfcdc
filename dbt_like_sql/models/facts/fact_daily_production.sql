-- Operators are counted in two steps because count(distinct ...) forbids parallel aggregation; the first step keeps
-- what a mean and a standard deviation need.
with by_operator as (
    select
        work_order.tenant_id,
        work_order.date,
        work_order.line_code,
        work_order.product_code,
        coalesce(work_order.shift, 'unknown') as shift,
        work_order.operator_id,
        sum(work_order.total_qty) as total_qty,
        sum(work_order.good_qty) as good_qty,
        sum(work_order.defect_qty) as defect_qty,
        sum(work_order.rework_qty) as rework_qty,
        sum(work_order.scrap_qty) as scrap_qty,
        sum(work_order.planned_qty) as planned_qty,
        sum(work_order.total_qty) filter (where work_order.runtime_minutes is not null) as timed_qty,
        count(work_order.cycle_time_avg_sec) as cycle_times,
        sum(work_order.cycle_time_avg_sec) as cycle_time_sum,
        sum(work_order.cycle_time_avg_sec * work_order.cycle_time_avg_sec) as cycle_time_square_sum,
        sum(work_order.runtime_minutes) as runtime_minutes,
        sum(work_order.downtime_minutes) as downtime_minutes,
        sum(work_order.setup_minutes) as setup_time_minutes,
        count(*) as work_order_count
    from staging.stg_work_order as work_order
    where work_order.date between :from_date and :to_date
    group by
        work_order.tenant_id, work_order.date, work_order.line_code, work_order.product_code,
        coalesce(work_order.shift, 'unknown'), work_order.operator_id
),

daily as (
    select
        by_operator.tenant_id,
        by_operator.date,
        by_operator.line_code,
        by_operator.product_code,
        by_operator.shift,
        sum(by_operator.total_qty) as total_qty,
        sum(by_operator.good_qty) as good_qty,
        sum(by_operator.defect_qty) as defect_qty,
        sum(by_operator.rework_qty) as rework_qty,
        sum(by_operator.scrap_qty) as scrap_qty,
        sum(by_operator.planned_qty) as planned_qty,
        sum(by_operator.timed_qty) as timed_qty,
        sum(by_operator.cycle_times) as cycle_times,
        sum(by_operator.cycle_time_sum) as cycle_time_sum,
        sum(by_operator.cycle_time_square_sum) as cycle_time_square_sum,
        sum(by_operator.runtime_minutes) as runtime_minutes,
        sum(by_operator.downtime_minutes) as downtime_minutes,
        sum(by_operator.setup_time_minutes) as setup_time_minutes,
        sum(by_operator.work_order_count)::integer as work_order_count,
        nullif(count(by_operator.operator_id), 0)::integer as operator_count
    from by_operator
    group by
        by_operator.tenant_id, by_operator.date, by_operator.line_code, by_operator.product_code, by_operator.shift
),

cycle as (
    select
        cycle_time.tenant_id,
        cycle_time.line_code,
        cycle_time.product_code,
        cycle_time.valid_from,
        coalesce(
            lead(cycle_time.valid_from) over (
                partition by cycle_time.tenant_id, cycle_time.line_code, cycle_time.product_code
                order by cycle_time.valid_from
            ),
            'infinity'
        ) as valid_until,
        cycle_time.ideal_cycle_sec
    from bi.dim_cycle_time as cycle_time
)

select
    daily.tenant_id,
    daily.date,
    daily.line_code,
    daily.product_code,
    daily.shift,
    daily.total_qty,
    daily.good_qty,
    daily.defect_qty,
    daily.rework_qty,
    daily.scrap_qty,
    daily.planned_qty,
    daily.timed_qty,
    daily.cycle_time_sum / nullif(daily.cycle_times, 0) as cycle_time_avg,
    sqrt(
        (daily.cycle_times * daily.cycle_time_square_sum - daily.cycle_time_sum * daily.cycle_time_sum)
        / nullif(daily.cycle_times * (daily.cycle_times - 1), 0)
    ) as cycle_time_std,
    coalesce(cycle.ideal_cycle_sec, product.target_cycle_time_sec) as target_cycle_time,
    daily.runtime_minutes,
    daily.downtime_minutes,
    daily.setup_time_minutes,
    daily.work_order_count,
    daily.operator_count
from daily
left join cycle
    on cycle.tenant_id = daily.tenant_id
        and cycle.line_code = daily.line_code
        and cycle.product_code = daily.product_code
        and daily.date >= cycle.valid_from
        and daily.date < cycle.valid_until
left join bi.dim_product as product
    on product.tenant_id = daily.tenant_id and product.product_code = daily.product_code
