select
    record.tenant_id,
    record.business_date as date,
    record.source_system,
    record.source_pk,
    record.load_id,
    record.source_row,
    record.line_code,
    record.raw_data ->> 'order_id' as order_id,
    record.raw_data ->> 'customer_code' as customer_code,
    record.raw_data ->> 'product_code' as product_code,
    (record.raw_data ->> 'order_qty')::numeric as order_qty,
    (record.raw_data ->> 'delivered_qty')::numeric as delivered_qty,
    (record.raw_data ->> 'delivery_date')::date as delivery_date,
    (record.raw_data ->> 'delivered_date')::date as delivered_date,
    record.raw_data ->> 'priority' as priority,
    record.raw_data ->> 'status' as status,
    (record.raw_data ->> 'created_at')::timestamptz as created_at
from core.erp_mes_data as record
where record.record_type = 'order'
    and record.is_current
    and record.business_date between :from_date and :to_date
