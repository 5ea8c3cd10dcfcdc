select
    record.tenant_id,
    payload.kpi_code,
    payload.name,
    payload.name_en,
    payload.category,
    payload.unit,
    payload.description,
    payload.calculation_method,
    payload.default_target,
    payload.green_threshold,
    payload.yellow_threshold,
    payload.red_threshold,
    coalesce(payload.higher_is_better, true) as higher_is_better,
    payload.aggregation_method,
    payload.attributes,
    coalesce(payload.is_active, true) as is_active
from core.master_record as record
cross join lateral jsonb_to_record(record.raw_data) as payload(
    kpi_code text,
    name text,
    name_en text,
    category text,
    unit text,
    description text,
    calculation_method text,
    default_target numeric,
    green_threshold numeric,
    yellow_threshold numeric,
    red_threshold numeric,
    higher_is_better boolean,
    aggregation_method text,
    attributes jsonb,
    is_active boolean
)
where record.record_type = 'kpi'
