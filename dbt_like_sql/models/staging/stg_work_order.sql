select
    record.tenant_id,
    record.business_date as date,
    record.source_system,
    record.source_pk,
    record.load_id,
    record.source_row,
    record.line_code,
    record.raw_data ->> 'work_order_id' as work_order_id,
    record.raw_data ->> 'equipment_code' as equipment_code,
    record.raw_data ->> 'product_code' as product_code,
    record.raw_data ->> 'shift' as shift,
    record.raw_data ->> 'operator_id' as operator_id,
    record.raw_data ->> 'status' as status,
    (record.raw_data ->> 'start_time')::timestamptz as start_time,
    (record.raw_data ->> 'end_time')::timestamptz as end_time,
    (record.raw_data ->> 'total_qty')::numeric as total_qty,
    (record.raw_data ->> 'good_qty')::numeric as good_qty,
    (record.raw_data ->> 'defect_qty')::numeric as defect_qty,
    (record.raw_data ->> 'rework_qty')::numeric as rework_qty,
    (record.raw_data ->> 'scrap_qty')::numeric as scrap_qty,
    (record.raw_data ->> 'planned_qty')::numeric as planned_qty,
    nullif(record.raw_data -> 'defect_details', 'null') as defect_details,
    (record.raw_data ->> 'cycle_time_avg_sec')::numeric as cycle_time_avg_sec,
    (record.raw_data ->> 'runtime_minutes')::numeric as runtime_minutes,
    (record.raw_data ->> 'downtime_minutes')::numeric as downtime_minutes,
    nullif(record.raw_data -> 'downtime_reasons', 'null') as downtime_reasons,
    -- Null without reasons, 0 without setup among them; setup is named twice too rarely to pay for the sum each time.
    case
        when jsonb_typeof(record.raw_data -> 'downtime_reasons') = 'array' then
            case
                when jsonb_array_length(
                    jsonb_path_query_array(record.raw_data, '$.downtime_reasons[*] ? (@.reason == "setup").minutes')
                ) > 1 then core.sum_of(
                    jsonb_path_query_array(record.raw_data, '$.downtime_reasons[*] ? (@.reason == "setup").minutes')
                )
                else coalesce(
                    jsonb_path_query_first(
                        record.raw_data, '$.downtime_reasons[*] ? (@.reason == "setup").minutes'
                    )::numeric,
                    0
                )
            end
    end as setup_minutes,
    nullif(record.raw_data -> 'quality_checks', 'null') as quality_checks
from core.erp_mes_data as record
where record.record_type = 'work_order'
    and record.is_current
    and record.business_date between :from_date and :to_date
