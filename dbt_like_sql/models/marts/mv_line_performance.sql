with newest as (
    select production.tenant_id, max(production.date) as date
    from bi.fact_daily_production as production
    group by production.tenant_id
),

made as (
    select
        production.tenant_id,
        production.date,
        production.line_code,
        sum(production.total_qty) as total_qty,
        sum(production.good_qty) as good_qty,
        sum(production.defect_qty) as defect_qty,
        sum(production.planned_qty) as planned_qty,
        sum(production.runtime_minutes) as runtime_minutes,
        sum(production.downtime_minutes) as downtime_minutes,
        sum(production.setup_time_minutes) as setup_time_minutes,
        -- One product whose ideal cycle time is unknown makes the ideal time of the whole unknown.
        case
            when count(*) filter (where production.timed_qty > 0 and production.target_cycle_time is null) = 0
                then sum(production.timed_qty * coalesce(production.target_cycle_time, 0)) / 60
        end as ideal_runtime_minutes,
        count(distinct production.product_code)::integer as product_count,
        sum(production.work_order_count)::integer as work_order_count
    from bi.fact_daily_production as production
    inner join newest on newest.tenant_id = production.tenant_id and production.date > newest.date - 90
    group by production.tenant_id, production.date, production.line_code
),

happened as (
    select
        event.tenant_id,
        event.date,
        event.line_code,
        coalesce(sum(event.event_count) filter (where event.event_type = 'alarm'), 0)::integer as alarm_count,
        coalesce(sum(event.event_count) filter (where event.event_type = 'breakdown'), 0)::integer as breakdown_count,
        sum(event.total_duration_minutes) filter (where event.event_type = 'breakdown') as breakdown_minutes
    from bi.fact_equipment_event as event
    inner join newest
        on newest.tenant_id = event.tenant_id and event.date > newest.date - 90 and event.date <= newest.date
    where event.line_code is not null
    group by event.tenant_id, event.date, event.line_code
),

ratio as (
    select
        coalesce(made.tenant_id, happened.tenant_id) as tenant_id,
        coalesce(made.date, happened.date) as date,
        coalesce(made.line_code, happened.line_code) as line_code,
        made.total_qty,
        made.good_qty,
        made.defect_qty,
        made.planned_qty,
        made.runtime_minutes + made.downtime_minutes as planned_minutes,
        made.runtime_minutes,
        made.downtime_minutes,
        made.setup_time_minutes,
        made.ideal_runtime_minutes,
        made.product_count,
        made.work_order_count,
        happened.alarm_count,
        happened.breakdown_count,
        happened.breakdown_minutes,
        made.runtime_minutes / nullif(made.runtime_minutes + made.downtime_minutes, 0) as availability,
        made.ideal_runtime_minutes / nullif(made.runtime_minutes, 0) as performance,
        made.good_qty / nullif(made.total_qty, 0) as quality,
        made.downtime_minutes as availability_loss_minutes,
        made.runtime_minutes - made.ideal_runtime_minutes as performance_loss_minutes,
        made.ideal_runtime_minutes * made.defect_qty / nullif(made.total_qty, 0) as quality_loss_minutes
    from made
    full join happened
        on happened.tenant_id = made.tenant_id
            and happened.date = made.date
            and happened.line_code = made.line_code
)

select
    ratio.tenant_id,
    ratio.date,
    ratio.line_code,
    line.name as line_name,
    ratio.total_qty,
    ratio.good_qty,
    ratio.defect_qty,
    ratio.planned_qty,
    ratio.total_qty / nullif(ratio.planned_qty, 0) as achievement,
    ratio.defect_qty / nullif(ratio.total_qty, 0) as defect_rate,
    ratio.planned_minutes,
    ratio.runtime_minutes,
    ratio.downtime_minutes,
    ratio.setup_time_minutes,
    ratio.ideal_runtime_minutes,
    ratio.availability,
    ratio.performance,
    -- least() skips nulls, so the unknown has to be kept unknown by hand.
    case when ratio.performance is not null then least(ratio.performance, 1) end as performance_capped,
    ratio.quality,
    ratio.availability * ratio.performance * ratio.quality as oee,
    case
        when ratio.performance is not null
            then ratio.availability * least(ratio.performance, 1) * ratio.quality
    end as oee_capped,
    ratio.availability_loss_minutes,
    ratio.performance_loss_minutes,
    ratio.quality_loss_minutes,
    case
        when ratio.availability_loss_minutes is null or ratio.performance_loss_minutes is null then null
        when greatest(
            ratio.availability_loss_minutes, ratio.performance_loss_minutes, ratio.quality_loss_minutes
        ) <= 0 then null
        when ratio.availability_loss_minutes
            >= greatest(ratio.performance_loss_minutes, ratio.quality_loss_minutes) then 'availability'
        when ratio.performance_loss_minutes >= coalesce(ratio.quality_loss_minutes, 0) then 'performance'
        else 'quality'
    end as main_loss,
    ratio.product_count,
    ratio.work_order_count,
    ratio.alarm_count,
    ratio.breakdown_count,
    ratio.breakdown_minutes
from ratio
left join bi.dim_line as line on line.tenant_id = ratio.tenant_id and line.line_code = ratio.line_code
