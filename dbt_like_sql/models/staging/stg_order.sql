select
    record.tenant_id,
    record.business_date as date,
    record.source_system,
    record.source_pk,
    record.load_id,
    record.source_row,
    record.line_code,
    payload.order_id,
    payload.customer_code,
    payload.product_code,
    payload.order_qty,
    payload.delivered_qty,
    payload.delivery_date,
    payload.delivered_date,
    payload.priority,
    payload.status,
    payload.created_at
from core.erp_mes_data as record
cross join lateral jsonb_to_record(record.raw_data) as payload(
    order_id text,
    customer_code text,
    product_code text,
    order_qty numeric,
    delivered_qty numeric,
    delivery_date date,
    delivered_date date,
    priority text,
    status text,
    created_at timestamptz
)
where record.record_type = 'order'
    and record.is_current
    and record.business_date between :from_date and :to_date
