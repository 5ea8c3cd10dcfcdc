select
    record.tenant_id,
    record.business_date as date,
    record.source_system,
    record.source_pk,
    record.load_id,
    record.source_row,
    record.line_code,
    payload.work_order_id,
    payload.equipment_code,
    payload.product_code,
    payload.shift,
    payload.operator_id,
    payload.status,
    payload.start_time,
    payload.end_time,
    payload.total_qty,
    payload.good_qty,
    payload.defect_qty,
    payload.rework_qty,
    payload.scrap_qty,
    payload.planned_qty,
    payload.defect_details,
    payload.cycle_time_avg_sec,
    payload.runtime_minutes,
    payload.downtime_minutes,
    payload.downtime_reasons,
    case
        when jsonb_typeof(payload.downtime_reasons) = 'array' then (
            select coalesce(sum(part.minutes) filter (where part.reason = 'setup'), 0)
            from jsonb_to_recordset(payload.downtime_reasons) as part(reason text, minutes numeric)
        )
    end as setup_minutes,
    payload.quality_checks
from core.erp_mes_data as record
cross join lateral jsonb_to_record(record.raw_data) as payload(
    work_order_id text,
    equipment_code text,
    product_code text,
    shift text,
    operator_id text,
    status text,
    start_time timestamptz,
    end_time timestamptz,
    total_qty numeric,
    good_qty numeric,
    defect_qty numeric,
    rework_qty numeric,
    scrap_qty numeric,
    planned_qty numeric,
    defect_details jsonb,
    cycle_time_avg_sec numeric,
    runtime_minutes numeric,
    downtime_minutes numeric,
    downtime_reasons jsonb,
    quality_checks jsonb
)
where record.record_type = 'work_order'
    and record.is_current
    and record.business_date between :from_date and :to_date
