select
    record.tenant_id,
    payload.line_code,
    payload.product_code,
    coalesce(payload.valid_from, date '1970-01-01') as valid_from,
    payload.ideal_cycle_sec
from core.master_record as record
cross join lateral jsonb_to_record(record.raw_data) as payload(
    line_code text,
    product_code text,
    valid_from date,
    ideal_cycle_sec numeric
)
where record.record_type = 'cycle_time'
