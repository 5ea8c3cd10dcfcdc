-- In two steps because a list without repetitions forbids parallel aggregation, and the first step leaves few rows.
with by_cause as (
    select
        work_order.tenant_id,
        work_order.date,
        work_order.line_code,
        work_order.product_code,
        coalesce(work_order.shift, 'unknown') as shift,
        coalesce(detail.type, 'unknown') as defect_type,
        detail.root_cause,
        detail.countermeasure,
        detail.responsible_dept,
        sum(detail.qty) as defect_qty,
        sum(detail.cost) as defect_cost
    from staging.stg_work_order as work_order
    cross join lateral jsonb_to_recordset(
        case when jsonb_typeof(work_order.defect_details) = 'array' then work_order.defect_details end
    ) as detail(type text, qty numeric, cost numeric, root_cause text, countermeasure text, responsible_dept text)
    where work_order.date between :from_date and :to_date
        and detail.qty > 0
    group by
        work_order.tenant_id, work_order.date, work_order.line_code, work_order.product_code,
        coalesce(work_order.shift, 'unknown'), coalesce(detail.type, 'unknown'), detail.root_cause,
        detail.countermeasure, detail.responsible_dept
)

select
    by_cause.tenant_id,
    by_cause.date,
    by_cause.line_code,
    by_cause.product_code,
    by_cause.shift,
    by_cause.defect_type,
    sum(by_cause.defect_qty) as defect_qty,
    sum(by_cause.defect_cost) as defect_cost,
    string_agg(distinct by_cause.root_cause, '; ' order by by_cause.root_cause) as root_cause,
    string_agg(distinct by_cause.countermeasure, '; ' order by by_cause.countermeasure) as countermeasure,
    string_agg(distinct by_cause.responsible_dept, '; ' order by by_cause.responsible_dept) as responsible_dept
from by_cause
group by
    by_cause.tenant_id, by_cause.date, by_cause.line_code, by_cause.product_code, by_cause.shift, by_cause.defect_type
