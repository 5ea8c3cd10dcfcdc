select
    record.tenant_id,
    record.business_date as date,
    record.source_system,
    record.source_pk,
    record.load_id,
    record.source_row,
    record.line_code,
    payload.product_code,
    payload.total_qty,
    payload.good_qty,
    100 / nullif(payload.total_qty, -1) as percent_each,
    coalesce(payload.is_open, false) as is_open
from core.erp_mes_data as record
cross join lateral jsonb_to_record(record.raw_data) as payload(
    product_code text, total_qty numeric, good_qty numeric, is_open boolean
)
where record.record_type = 'work_order'
    and record.is_current
    and record.business_date between :from_date and :to_date
