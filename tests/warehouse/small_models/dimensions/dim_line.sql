select
    record.tenant_id,
    payload.line_code,
    payload.name,
    payload.manager
from core.master_record as record
cross join lateral jsonb_to_record(record.raw_data) as payload(line_code text, name text, manager text)
where record.record_type = 'line'
