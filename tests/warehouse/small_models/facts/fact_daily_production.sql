select
    work_order.tenant_id,
    work_order.date,
    work_order.line_code,
    work_order.product_code,
    sum(work_order.total_qty) as total_qty,
    sum(work_order.good_qty) as good_qty,
    max(line.name) as line_name
from staging.stg_work_order as work_order
left join bi.dim_line as line
    on line.tenant_id = work_order.tenant_id and line.line_code = work_order.line_code
where work_order.date between :from_date and :to_date
group by work_order.tenant_id, work_order.date, work_order.line_code, work_order.product_code
