with by_severity as (
    select
        event.tenant_id,
        event.date,
        event.equipment_code,
        event.event_type,
        coalesce(event.severity, 'unknown') as severity,
        max(event.line_code) as line_code,
        count(*) filter (where event.is_start) as event_count,
        count(*) filter (where event.is_open) as open_event_count,
        count(event.duration_minutes) as timed_count,
        sum(event.duration_minutes) as total_duration_minutes,
        max(event.duration_minutes) as max_duration_minutes
    from staging.stg_equipment_event as event
    where event.date between :from_date and :to_date
    group by
        event.tenant_id, event.date, event.equipment_code, event.event_type, coalesce(event.severity, 'unknown')
)

select
    by_severity.tenant_id,
    by_severity.date,
    max(by_severity.line_code) as line_code,
    by_severity.equipment_code,
    by_severity.event_type,
    sum(by_severity.event_count)::integer as event_count,
    sum(by_severity.open_event_count)::integer as open_event_count,
    sum(by_severity.total_duration_minutes) as total_duration_minutes,
    sum(by_severity.total_duration_minutes) / nullif(sum(by_severity.timed_count), 0) as avg_duration_minutes,
    max(by_severity.max_duration_minutes) as max_duration_minutes,
    coalesce(
        jsonb_object_agg(by_severity.severity, by_severity.event_count) filter (where by_severity.event_count > 0),
        '{}'
    ) as severity_distribution
from by_severity
group by by_severity.tenant_id, by_severity.date, by_severity.equipment_code, by_severity.event_type
