select
    record.tenant_id,
    record.business_date as date,
    record.source_system,
    record.source_pk,
    record.load_id,
    record.source_row,
    record.line_code,
    payload.product_code,
    payload.location,
    payload.snapshot_date,
    payload.stock_qty,
    payload.safety_stock_qty,
    payload.reserved_qty,
    payload.in_transit_qty,
    payload.issue_qty,
    payload.avg_daily_usage,
    payload.unit_cost,
    payload.last_receipt_date,
    payload.last_issue_date
from core.erp_mes_data as record
cross join lateral jsonb_to_record(record.raw_data) as payload(
    product_code text,
    location text,
    snapshot_date date,
    stock_qty numeric,
    safety_stock_qty numeric,
    reserved_qty numeric,
    in_transit_qty numeric,
    issue_qty numeric,
    avg_daily_usage numeric,
    unit_cost numeric,
    last_receipt_date date,
    last_issue_date date
)
where record.record_type = 'inventory'
    and record.is_current
    and record.business_date between :from_date and :to_date
