select
    record.tenant_id,
    payload.line_code,
    payload.name,
    payload.category,
    payload.capacity_per_hour,
    payload.capacity_unit,
    coalesce(payload.timezone, tenant.settings ->> 'timezone') as timezone,
    payload.plant_code,
    payload.department,
    payload.manager,
    payload.cost_center,
    payload.attributes,
    coalesce(payload.is_active, true) as is_active,
    payload.activated_at,
    payload.deactivated_at
from core.master_record as record
inner join core.tenants as tenant on tenant.id = record.tenant_id
cross join lateral jsonb_to_record(record.raw_data) as payload(
    line_code text,
    name text,
    category text,
    capacity_per_hour numeric,
    capacity_unit text,
    timezone text,
    plant_code text,
    department text,
    manager text,
    cost_center text,
    attributes jsonb,
    is_active boolean,
    activated_at date,
    deactivated_at date
)
where record.record_type = 'line'
