select
    record.tenant_id,
    payload.product_code,
    payload.name,
    payload.name_en,
    payload.spec,
    payload.category,
    payload.subcategory,
    coalesce(payload.unit, 'EA') as unit,
    payload.standard_cost,
    payload.target_cycle_time_sec,
    payload.quality_standard,
    payload.attributes,
    coalesce(payload.is_active, true) as is_active,
    payload.activated_at,
    payload.discontinued_at
from core.master_record as record
cross join lateral jsonb_to_record(record.raw_data) as payload(
    product_code text,
    name text,
    name_en text,
    spec text,
    category text,
    subcategory text,
    unit text,
    standard_cost numeric,
    target_cycle_time_sec numeric,
    quality_standard text,
    attributes jsonb,
    is_active boolean,
    activated_at date,
    discontinued_at date
)
where record.record_type = 'product'
