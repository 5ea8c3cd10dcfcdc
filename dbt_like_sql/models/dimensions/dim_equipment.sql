select
    record.tenant_id,
    payload.equipment_code,
    payload.line_code,
    payload.name,
    payload.equipment_type,
    payload.vendor,
    payload.model,
    payload.serial_number,
    payload.install_date,
    payload.warranty_expiry_date,
    payload.maintenance_cycle_days,
    payload.last_maintenance_date,
    payload.next_maintenance_date,
    payload.mtbf_hours,
    payload.mttr_hours,
    payload.attributes,
    coalesce(payload.is_active, true) as is_active
from core.master_record as record
cross join lateral jsonb_to_record(record.raw_data) as payload(
    equipment_code text,
    line_code text,
    name text,
    equipment_type text,
    vendor text,
    model text,
    serial_number text,
    install_date date,
    warranty_expiry_date date,
    maintenance_cycle_days integer,
    last_maintenance_date date,
    next_maintenance_date date,
    mtbf_hours numeric,
    mttr_hours numeric,
    attributes jsonb,
    is_active boolean
)
where record.record_type = 'equipment'
