with newest as (
    select production.tenant_id, max(production.date) as date
    from bi.fact_daily_production as production
    group by production.tenant_id
),

total as (
    select
        production.tenant_id,
        production.date,
        production.line_code,
        production.shift,
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
        sum(production.work_order_count)::integer as work_order_count
    from bi.fact_daily_production as production
    inner join newest on newest.tenant_id = production.tenant_id and production.date > newest.date - 90
    group by production.tenant_id, production.date, production.line_code, production.shift
),

ratio as (
    select
        total.tenant_id,
        total.date,
        total.line_code,
        total.shift,
        total.total_qty,
        total.good_qty,
        total.defect_qty,
        total.planned_qty,
        total.runtime_minutes + total.downtime_minutes as planned_minutes,
        total.runtime_minutes,
        total.downtime_minutes,
        total.setup_time_minutes,
        total.ideal_runtime_minutes,
        total.work_order_count,
        total.runtime_minutes / nullif(total.runtime_minutes + total.downtime_minutes, 0) as availability,
        total.ideal_runtime_minutes / nullif(total.runtime_minutes, 0) as performance,
        total.good_qty / nullif(total.total_qty, 0) as quality,
        total.downtime_minutes as availability_loss_minutes,
        total.runtime_minutes - total.ideal_runtime_minutes as performance_loss_minutes,
        total.ideal_runtime_minutes * total.defect_qty / nullif(total.total_qty, 0) as quality_loss_minutes
    from total
)

select
    ratio.tenant_id,
    ratio.date,
    ratio.line_code,
    line.name as line_name,
    ratio.shift,
    ratio.total_qty,
    ratio.good_qty,
    ratio.defect_qty,
    ratio.planned_qty,
    ratio.planned_minutes,
    ratio.runtime_minutes,
    ratio.downtime_minutes,
    ratio.setup_time_minutes,
    ratio.ideal_runtime_minutes,
    ratio.work_order_count,
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
    end as main_loss
from ratio
left join bi.dim_line as line on line.tenant_id = ratio.tenant_id and line.line_code = ratio.line_code
