select
    record.tenant_id,
    coalesce(payload.plant_code, '') as plant_code,
    payload.shift_code,
    coalesce(payload.valid_from, date '1970-01-01') as valid_from,
    payload.name,
    payload.start_time,
    payload.end_time,
    -- A shift that ends at or before its start ends on the next day.
    extract(epoch from payload.end_time - payload.start_time) / 3600
        + case when payload.end_time <= payload.start_time then 24 else 0 end as duration_hours,
    payload.is_night_shift,
    payload.shift_order
from core.master_record as record
cross join lateral jsonb_to_record(record.raw_data) as payload(
    plant_code text,
    shift_code text,
    valid_from date,
    name text,
    start_time time,
    end_time time,
    is_night_shift boolean,
    shift_order integer
)
where record.record_type = 'shift'
