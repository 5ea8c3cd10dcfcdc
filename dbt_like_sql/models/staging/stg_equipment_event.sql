-- The rows of a date depend only on the events of that date and of the 31 days before it, whatever range is asked for,
-- so that a day built alone comes out the same as inside a month. What later events will tell is left open.
with event as (
    select
        record.tenant_id,
        record.business_date,
        record.source_system,
        record.source_pk,
        record.load_id,
        record.source_row,
        coalesce(record.line_code, equipment.line_code) as line_code,
        coalesce(line.timezone, tenant.settings ->> 'timezone', 'UTC') as timezone,
        coalesce(plant.plant_code, '') as plant_code,
        payload.event_id,
        payload.equipment_code,
        payload.event_type,
        case
            when payload.end_timestamp is not null then 'interval' else coalesce(payload.phase, 'point')
        end as phase,
        payload.pair_id,
        payload."timestamp" as event_time,
        payload.end_timestamp,
        payload.alarm_code,
        payload.severity,
        payload.message,
        payload.value,
        payload.threshold
    from core.erp_mes_data as record
    cross join lateral jsonb_to_record(record.raw_data) as payload(
        event_id text,
        equipment_code text,
        event_type text,
        phase text,
        pair_id text,
        "timestamp" timestamptz,
        end_timestamp timestamptz,
        alarm_code text,
        severity text,
        message text,
        value numeric,
        threshold numeric
    )
    inner join core.tenants as tenant on tenant.id = record.tenant_id
    left join bi.dim_equipment as equipment
        on equipment.tenant_id = record.tenant_id and equipment.equipment_code = payload.equipment_code
    left join bi.dim_line as line
        on line.tenant_id = record.tenant_id and line.line_code = coalesce(record.line_code, equipment.line_code)
    left join (select distinct shift.tenant_id, shift.plant_code from bi.dim_shift as shift) as plant
        on plant.tenant_id = record.tenant_id and plant.plant_code = line.plant_code
    where record.record_type = 'equipment_event'
        and record.is_current
        and record.business_date between cast(:from_date as date) - 31 and cast(:to_date as date)
),

-- A start and its end share the pair id, else equipment, type and alarm code.
half as (
    select
        event.tenant_id,
        event.source_system,
        event.source_pk,
        event.business_date,
        event.event_time,
        event.phase,
        event.pair_id,
        case when event.pair_id is null then event.equipment_code end as equipment_code,
        case when event.pair_id is null then event.event_type end as event_type,
        case when event.pair_id is null then event.alarm_code end as alarm_code
    from event
    where event.phase in ('start', 'end')
),

moment as (
    select
        half.tenant_id,
        half.source_system,
        half.source_pk,
        half.business_date,
        half.event_time,
        half.phase,
        half.pair_id,
        half.equipment_code,
        half.event_type,
        half.alarm_code,
        count(*) filter (where half.phase = 'start') over same > 0
            and count(*) filter (where half.phase = 'end') over same > 0 as is_both
    from half
    window same as (
        partition by half.tenant_id, half.source_system, half.pair_id, half.equipment_code, half.event_type,
            half.alarm_code, half.event_time
    )
),

-- Where a start and an end bear the same time, the end belongs to what ran before, if anything did; otherwise the two
-- are one event of no length.
placed as (
    select
        moment.tenant_id,
        moment.source_system,
        moment.source_pk,
        moment.business_date,
        moment.event_time,
        moment.phase,
        moment.pair_id,
        moment.equipment_code,
        moment.event_type,
        moment.alarm_code,
        coalesce(
            max(moment.event_time) filter (where moment.phase = 'start' and not moment.is_both) over earlier
            > coalesce(
                max(moment.event_time) filter (where moment.phase = 'end' and not moment.is_both) over earlier,
                '-infinity'
            ),
            false
        ) as was_running
    from moment
    window earlier as (
        partition by moment.tenant_id, moment.source_system, moment.pair_id, moment.equipment_code, moment.event_type,
            moment.alarm_code
        order by moment.event_time
        rows between unbounded preceding and 1 preceding
    )
),

chained as (
    select
        placed.tenant_id,
        placed.source_system,
        placed.source_pk,
        lead(placed.event_time) over chain as next_time,
        lead(placed.phase) over chain as next_phase,
        lag(placed.phase) over chain = 'start'
            and lag(placed.business_date) over chain >= placed.business_date - 31 as follows_start
    from placed
    window chain as (
        partition by placed.tenant_id, placed.source_system, placed.pair_id, placed.equipment_code, placed.event_type,
            placed.alarm_code
        order by placed.event_time, (placed.phase = 'end') <> placed.was_running, placed.source_pk
    )
),

-- One row for each event, with the moment it ended, as far as known. An end that closes a start is part of that one.
occurrence as (
    select
        event.tenant_id,
        event.business_date,
        event.source_system,
        event.source_pk,
        event.load_id,
        event.source_row,
        event.line_code,
        event.timezone,
        event.plant_code,
        event.event_id,
        event.equipment_code,
        event.event_type,
        event.phase,
        event.pair_id,
        event.event_time,
        coalesce(event.end_timestamp, case when event.phase = 'start' then chained.next_time end) as end_time,
        chained.next_phase,
        event.phase in ('start', 'interval') as has_length,
        event.alarm_code,
        event.severity,
        event.message,
        event.value,
        event.threshold
    from event
    left join chained
        on chained.tenant_id = event.tenant_id
            and chained.source_system = event.source_system
            and chained.source_pk = event.source_pk
    where not (event.phase = 'end' and coalesce(chained.follows_start, false))
),

-- A production date begins with its first shift. Between the last shift of the day before and that one lies, as at
-- landing, the middle of a gap of up to two hours; in a longer one midnight, an hour or more from either shift.
shift as (
    select
        shift.tenant_id,
        shift.plant_code,
        shift.valid_from,
        coalesce(
            lead(shift.valid_from) over (
                partition by shift.tenant_id, shift.plant_code, shift.shift_code
                order by shift.valid_from
            ),
            'infinity'
        ) as valid_until,
        extract(epoch from shift.start_time) as start_second,
        extract(epoch from shift.end_time)
            + case when shift.end_time <= shift.start_time then 86400 else 0 end as end_second
    from bi.dim_shift as shift
),

shift_day as (
    select
        shift.tenant_id,
        shift.plant_code,
        cast(:from_date as date) + ahead.days as date,
        min(shift.start_second) as first_second,
        max(shift.end_second) as last_second
    from shift
    cross join generate_series(-32, cast(:to_date as date) - cast(:from_date as date) + 1) as ahead(days)
    where cast(:from_date as date) + ahead.days >= shift.valid_from
        and cast(:from_date as date) + ahead.days < shift.valid_until
    group by shift.tenant_id, shift.plant_code, ahead.days
),

day_start as (
    select
        shift_day.tenant_id,
        shift_day.plant_code,
        shift_day.date,
        make_interval(
            secs => case
                when shift_day.first_second - coalesce(earlier.last_second, 0) + 86400 <= 7200
                    then least(shift_day.first_second, (shift_day.first_second + earlier.last_second - 86400) / 2)
                else
                    least(greatest(0, coalesce(earlier.last_second, 0) - 82800), shift_day.first_second - 3600)
            end::double precision
        ) as after_midnight
    from shift_day
    left join shift_day as earlier
        on earlier.tenant_id = shift_day.tenant_id
            and earlier.plant_code = shift_day.plant_code
            and earlier.date = shift_day.date - 1
),

part as (
    select
        occurrence.tenant_id,
        occurrence.business_date + ahead.days as date,
        occurrence.source_system,
        occurrence.source_pk,
        occurrence.load_id,
        occurrence.source_row,
        occurrence.line_code,
        occurrence.event_id,
        occurrence.equipment_code,
        occurrence.event_type,
        occurrence.phase,
        occurrence.pair_id,
        occurrence.event_time,
        occurrence.end_time,
        occurrence.next_phase,
        occurrence.has_length,
        ahead.days = 0 as is_start,
        case
            when ahead.days = 0 then occurrence.event_time
            else greatest(
                occurrence.event_time,
                (
                    (occurrence.business_date + ahead.days)::timestamp + coalesce(first.after_midnight, interval '0')
                ) at time zone occurrence.timezone
            )
        end as part_start,
        (
            (occurrence.business_date + ahead.days + 1)::timestamp + coalesce(next.after_midnight, interval '0')
        ) at time zone occurrence.timezone as day_end,
        coalesce(occurrence.end_time, :now) as known_end,
        occurrence.alarm_code,
        occurrence.severity,
        occurrence.message,
        occurrence.value,
        occurrence.threshold
    from occurrence
    -- One day more than the calendar says: an evening may belong to the next production date.
    cross join lateral generate_series(
        0,
        case
            when occurrence.has_length then least(
                31,
                cast(:to_date as date) - occurrence.business_date,
                (coalesce(occurrence.end_time, :now) at time zone occurrence.timezone)::date
                - occurrence.business_date + 1
            )
            else 0
        end
    ) as ahead(days)
    left join day_start as first
        on first.tenant_id = occurrence.tenant_id
            and first.plant_code = occurrence.plant_code
            and first.date = occurrence.business_date + ahead.days
    left join day_start as next
        on next.tenant_id = occurrence.tenant_id
            and next.plant_code = occurrence.plant_code
            and next.date = occurrence.business_date + ahead.days + 1
)

select
    part.tenant_id,
    part.date,
    part.source_system,
    part.source_pk,
    part.load_id,
    part.source_row,
    part.line_code,
    part.event_id,
    part.equipment_code,
    part.event_type,
    part.pair_id,
    part.event_time,
    case when part.phase = 'interval' or part.end_time < part.day_end then part.end_time end as end_time,
    case
        when part.phase = 'interval' then 'interval'
        when part.phase = 'point' then 'point'
        when part.phase = 'end' then 'end_only'
        when part.end_time < part.day_end then case part.next_phase when 'end' then 'paired' else 'restarted' end
        when part.end_time is null and :now < part.day_end then 'open'
        else 'continued'
    end as pairing,
    part.is_start,
    case when part.has_length then part.part_start end as part_start,
    case
        when part.has_length then greatest(part.part_start, least(part.known_end, part.day_end))
    end as part_end,
    case
        when part.has_length then
            extract(epoch from greatest(part.part_start, least(part.known_end, part.day_end)) - part.part_start) / 60
    end as duration_minutes,
    part.has_length and part.end_time is null and :now < part.day_end as is_open,
    part.alarm_code,
    part.severity,
    part.message,
    part.value,
    part.threshold
from part
where part.date between :from_date and :to_date
    and (part.is_start or part.part_start < part.known_end)
