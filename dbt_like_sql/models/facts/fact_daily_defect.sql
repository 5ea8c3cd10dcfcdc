select
    work_order.tenant_id,
    work_order.date,
    work_order.line_code,
    work_order.product_code,
    coalesce(work_order.shift, 'unknown') as shift,
    coalesce(detail.type, 'unknown') as defect_type,
    sum(detail.qty) as defect_qty,
    sum(detail.cost) as defect_cost,
    string_agg(distinct detail.root_cause, '; ' order by detail.root_cause) as root_cause,
    string_agg(distinct detail.countermeasure, '; ' order by detail.countermeasure) as countermeasure,
    string_agg(distinct detail.responsible_dept, '; ' order by detail.responsible_dept) as responsible_dept
from staging.stg_work_order as work_order
cross join lateral jsonb_to_recordset(
    case when jsonb_typeof(work_order.defect_details) = 'array' then work_order.defect_details end
) as detail(type text, qty numeric, cost numeric, root_cause text, countermeasure text, responsible_dept text)
where work_order.date between :from_date and :to_date
    and detail.qty > 0
group by
    work_order.tenant_id, work_order.date, work_order.line_code, work_order.product_code,
    coalesce(work_order.shift, 'unknown'), coalesce(detail.type, 'unknown')
