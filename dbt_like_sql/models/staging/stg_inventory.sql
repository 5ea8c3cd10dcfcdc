select
    record.tenant_id,
    record.business_date as date,
    record.source_system,
    record.source_pk,
    record.load_id,
    record.source_row,
    record.line_code,
    record.raw_data ->> 'product_code' as product_code,
    record.raw_data ->> 'location' as location,
    (record.raw_data ->> 'snapshot_date')::date as snapshot_date,
    (record.raw_data ->> 'stock_qty')::numeric as stock_qty,
    (record.raw_data ->> 'safety_stock_qty')::numeric as safety_stock_qty,
    (record.raw_data ->> 'reserved_qty')::numeric as reserved_qty,
    (record.raw_data ->> 'in_transit_qty')::numeric as in_transit_qty,
    (record.raw_data ->> 'issue_qty')::numeric as issue_qty,
    (record.raw_data ->> 'avg_daily_usage')::numeric as avg_daily_usage,
    (record.raw_data ->> 'unit_cost')::numeric as unit_cost,
    (record.raw_data ->> 'last_receipt_date')::date as last_receipt_date,
    (record.raw_data ->> 'last_issue_date')::date as last_issue_date
from core.erp_mes_data as record
where record.record_type = 'inventory'
    and record.is_current
    and record.business_date between :from_date and :to_date
